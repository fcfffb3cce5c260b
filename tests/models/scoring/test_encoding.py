"""What the reward model sees: layouts, special tokens, truncation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charm_rm.errors import ConfigError, ModelError
from charm_rm.models.scoring import encoding
from charm_rm.models.scoring.encoding import ResponseEncoder, choose_layout, resolve_max_length

from ..conftest import BOS, EOS, TURNS

pytestmark = pytest.mark.models
transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")


def words(kind: str, n: int) -> str:
    return " ".join(f"{kind}{i}" for i in range(n))


def text(encoder: ResponseEncoder, prompt: Any, response: str) -> str:
    return str(encoder.tokenizer.decode(encoder.encode(prompt, response).input_ids))


@pytest.fixture
def chat(make_tokenizer: Callable[..., Any]) -> Callable[[int], ResponseEncoder]:
    return lambda max_length: ResponseEncoder(make_tokenizer(TURNS), max_length)


@pytest.fixture
def plain(make_tokenizer: Callable[..., Any]) -> Callable[[int], ResponseEncoder]:
    return lambda max_length: ResponseEncoder(make_tokenizer(), max_length)


class TestLayouts:
    def test_the_template_bos_is_not_doubled(self, chat: Callable[[int], ResponseEncoder]) -> None:
        encoder = chat(100)
        ids = encoder.encode("p1 p2", "r1").input_ids
        # The trap is real: this tokenizer puts its own BOS before the template's.
        rendered = encoder.tokenizer.apply_chat_template([{"role": "user", "content": "p1"}], tokenize=False)
        assert encoder.tokenizer(rendered)["input_ids"].count(encoder.tokenizer.bos_token_id) == 2
        assert ids.count(encoder.tokenizer.bos_token_id) == 1
        assert text(encoder, "p1 p2", "r1") == f"{BOS} <user> p1 p2 {EOS} <assistant> r1 {EOS}"

    def test_a_plain_decoder_gets_labels_one_bos_and_an_eos(
        self, plain: Callable[[int], ResponseEncoder]
    ) -> None:
        assert text(plain(100), "p1", "r1") == f"{BOS} User : p1 Assistant : r1 {EOS}"

    def test_a_conversation_keeps_its_turns(self, chat: Callable[[int], ResponseEncoder]) -> None:
        conversation = [
            {"role": "user", "content": "p1"},
            {"role": "assistant", "content": "p2"},
            {"role": "user", "content": "p3"},
        ]
        assert text(chat(100), conversation, "r1") == (
            f"{BOS} <user> p1 {EOS} <assistant> p2 {EOS} <user> p3 {EOS} <assistant> r1 {EOS}"
        )

    def test_chat_equals_the_tokenizers_own_tokenisation(self, smollm2_dir: Path) -> None:
        tokenizer = transformers.AutoTokenizer.from_pretrained(smollm2_dir)
        turns = [
            {"role": "user", "content": "Hello, 世界?"},
            {"role": "assistant", "content": "Hi.\n\n- one"},
        ]
        own = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
        assert ResponseEncoder(tokenizer, 1000).encode("Hello, 世界?", "Hi.\n\n- one").input_ids == list(own)

    def test_pair_equals_the_tokenizers_sentence_pair(self, minilm_dir: Path) -> None:
        tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_dir)
        encoder = ResponseEncoder(tokenizer, 512)
        own = tokenizer("Why is it blue?", "Light scatters.")
        encoded = encoder.encode("Why is it blue?", "Light scatters.")
        assert (encoder.layout, encoded.truncated) == ("pair", False)
        assert encoded.input_ids == own["input_ids"]
        assert encoded.token_type_ids == own["token_type_ids"]

    def test_an_empty_response_is_still_a_second_sentence(self, minilm_dir: Path) -> None:
        encoder = ResponseEncoder(transformers.AutoTokenizer.from_pretrained(minilm_dir), 512)
        assert text(encoder, "why", "") == "[CLS] why [SEP] [SEP]"

    def test_the_layout_may_be_forced(self, make_tokenizer: Callable[..., Any]) -> None:
        tokenizer = make_tokenizer(TURNS)
        assert choose_layout(tokenizer) == "chat"
        assert ResponseEncoder(tokenizer, 100, layout="plain").encode("p1", "r1").input_ids[-1] == 2

    @pytest.mark.parametrize("clock", ["strftime_now('%d %B %Y')", "date_string", "strftime_now('%-d/%m')"])
    def test_templates_do_not_see_today(
        self, make_tokenizer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, clock: str
    ) -> None:
        tokenizer = make_tokenizer("\n{{ " + clock + " }} " + TURNS)
        rendered: list[str] = []
        render = tokenizer.apply_chat_template
        monkeypatch.setattr(
            tokenizer, "apply_chat_template", lambda *a, **k: rendered.append(render(*a, **k)) or rendered[-1]
        )
        ResponseEncoder(tokenizer, 100).encode("p1", "r1")
        assert rendered[0].split(BOS)[0].strip() in ("26 July 2024", "26 Jul 2024", "26/07")

    def test_a_template_that_refuses_is_a_typed_error(self, make_tokenizer: Callable[..., Any]) -> None:
        tokenizer = make_tokenizer("{{ raise_exception('no system role here') }}")
        with pytest.raises(ModelError, match="no system role here"):
            ResponseEncoder(tokenizer, 100).encode("p1", "r1")


class TestTruncation:
    def test_a_long_prompt_never_costs_the_response(self, chat: Callable[[int], ResponseEncoder]) -> None:
        # 5 tokens of frame, 25 for text: the response's 5 stay, the prompt keeps its last 20.
        seen = text(chat(30), words("p", 150), words("r", 5))
        assert seen == (
            f"{BOS} <user> {' '.join(f'p{i}' for i in range(130, 150))} {EOS} <assistant> {words('r', 5)} {EOS}"
        )

    def test_a_long_response_keeps_its_beginning_and_turn_end(
        self, chat: Callable[[int], ResponseEncoder]
    ) -> None:
        assert text(chat(30), "p1", words("r", 150)) == (
            f"{BOS} <user> p1 {EOS} <assistant> {words('r', 24)} {EOS}"
        )

    def test_both_long_the_prompt_keeps_a_quarter(self, chat: Callable[[int], ResponseEncoder]) -> None:
        seen = text(chat(30), words("p", 150), words("r", 150)).split()
        assert sum(w.startswith("p") for w in seen) == 6
        assert sum(w.startswith("r") for w in seen) == 19

    def test_turns_of_which_nothing_stays_go_whole(self, chat: Callable[[int], ResponseEncoder]) -> None:
        conversation = [
            {"role": "user", "content": words("p", 40)},
            {"role": "assistant", "content": words("p", 40)},
            {"role": "user", "content": "p100 " + words("p", 30)},
        ]
        seen = text(chat(24), conversation, "r1 r2")
        assert seen.startswith(f"{BOS} <user> p")
        assert seen.count("<user>") == 1
        assert seen.endswith(f"<assistant> r1 r2 {EOS}")

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        lengths=st.lists(st.integers(0, 60), min_size=1, max_size=5),
        n_response=st.integers(0, 60),
        max_length=st.integers(20, 80),
        template=st.sampled_from([TURNS, None]),
    )
    def test_fits_is_counted_and_keeps_the_frame(
        self,
        make_tokenizer: Callable[..., Any],
        lengths: list[int],
        n_response: int,
        max_length: int,
        template: str | None,
    ) -> None:
        tokenizer = make_tokenizer(template)
        conversation = [
            {"role": ("user", "assistant")[i % 2], "content": words("p", n)} for i, n in enumerate(lengths)
        ]
        response = words("r", n_response)
        whole = ResponseEncoder(tokenizer, 10_000).encode(conversation, response)
        encoded = ResponseEncoder(tokenizer, max_length).encode(conversation, response)
        assert not whole.truncated
        assert encoded.truncated == (len(whole) > max_length)
        assert len(encoded) <= max_length
        assert (encoded.input_ids[0], encoded.input_ids[-1]) == (1, 2)
        kept = [w for w in tokenizer.decode(encoded.input_ids).split() if w.startswith("r")]
        assert kept == response.split()[: len(kept)]
        assert len(kept) >= min(n_response, 5)

    def test_pair_stays_within_the_window_with_both_sentences(self, minilm_dir: Path) -> None:
        encoder = ResponseEncoder(transformers.AutoTokenizer.from_pretrained(minilm_dir), 64)
        encoded = encoder.encode(
            "unbelievable antidisestablishmentarianism " * 60, "floccinaucinihilipilification " * 60
        )
        assert encoded.truncated
        assert len(encoded) <= 64
        assert encoded.token_type_ids is not None
        assert sum(encoded.token_type_ids) > 40
        assert encoded.input_ids.count(encoder.tokenizer.sep_token_id) == 2

    def test_no_room_is_an_error_that_says_so(self, chat: Callable[[int], ResponseEncoder]) -> None:
        with pytest.raises(ConfigError, match="max_length 6 leaves no room"):
            chat(6).encode(words("p", 50), "r1")

    def test_tokenizers_without_offsets_are_cut_too(
        self, chat: Callable[[int], ResponseEncoder], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fast = chat(30).encode(words("p", 90), words("r", 90))
        slow = chat(30)
        monkeypatch.setattr(type(slow.tokenizer), "is_fast", False)
        assert slow.encode(words("p", 90), words("r", 90)) == fast


PLAIN_WORDS = st.lists(st.sampled_from(["p1", "p2", "r7", ":", "unheard-of", "</s>"]), max_size=60).map(
    " ".join
)
CONVERSATION = st.lists(PLAIN_WORDS, min_size=1, max_size=4).map(
    lambda texts: [{"role": ("user", "assistant")[i % 2], "content": t} for i, t in enumerate(texts)]
)


class TestMany:
    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        rows=st.lists(st.tuples(st.one_of(PLAIN_WORDS, CONVERSATION), PLAIN_WORDS), max_size=8),
        max_length=st.integers(30, 90),
        template=st.sampled_from([TURNS, None]),
    )
    def test_together_as_one_by_one(
        self, make_tokenizer: Callable[..., Any], rows: list[Any], max_length: int, template: str | None
    ) -> None:
        encoder = ResponseEncoder(make_tokenizer(template), max_length)
        together = encoder.encode_many([p for p, _ in rows], [r for _, r in rows])
        assert together == [encoder.encode(p, r) for p, r in rows]

    def test_together_as_one_by_one_on_real_tokenizers(self, minilm_dir: Path, smollm2_dir: Path) -> None:
        tokenizers = [transformers.AutoTokenizer.from_pretrained(d) for d in (minilm_dir, smollm2_dir)]

        @settings(max_examples=25)
        @given(
            rows=st.lists(st.tuples(st.text(max_size=200), st.text(max_size=400)), max_size=6),
            max_length=st.integers(8, 64),
        )
        def check(rows: list[Any], max_length: int) -> None:
            for tokenizer, room in zip(tokenizers, (max_length, 60 + max_length), strict=True):
                encoder = ResponseEncoder(tokenizer, room)
                together = encoder.encode_many([p for p, _ in rows], [r for _, r in rows])
                assert together == [encoder.encode(p, r) for p, r in rows]

        check()

    def test_chunks_do_not_show(
        self, chat: Callable[[int], ResponseEncoder], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prompts, responses = [words("p", n) for n in range(40)], [words("r", n % 7) for n in range(40)]
        whole = chat(25).encode_many(prompts, responses)
        monkeypatch.setattr(encoding, "TEXTS_PER_CALL", 7)
        monkeypatch.setattr(encoding, "_LONG_TEXTS_PER_CALL", 2)
        assert chat(25).encode_many(prompts, responses) == whole
        assert 0 < sum(e.truncated for e in whole) < 40

    def test_one_refused_conversation_among_many_is_named(self, make_tokenizer: Callable[..., Any]) -> None:
        tokenizer = make_tokenizer("{{ raise_exception('no') if messages|length > 2 else 'p1' }}")
        three = [{"role": r, "content": "p1"} for r in ("user", "assistant", "user")]
        with pytest.raises(ModelError, match="user, assistant, user, assistant"):
            ResponseEncoder(tokenizer, 100).encode_many(["p1", three], ["r1", "r2"])


class TestMaxLength:
    def config(self, **values: Any) -> Any:
        return SimpleNamespace(model_type="llama", pad_token_id=1, **values)

    def test_defaults_to_what_both_allow(self, make_tokenizer: Callable[..., Any]) -> None:
        tokenizer = make_tokenizer()
        assert resolve_max_length(tokenizer, self.config(max_position_embeddings=8192)) == 8192
        tokenizer.model_max_length = 512
        assert resolve_max_length(tokenizer, self.config(max_position_embeddings=8192)) == 512

    def test_roberta_counts_positions_from_its_pad_token(self, make_tokenizer: Callable[..., Any]) -> None:
        config = SimpleNamespace(model_type="roberta", pad_token_id=1, max_position_embeddings=514)
        assert resolve_max_length(make_tokenizer(), config) == 512

    @pytest.mark.parametrize("requested", [0, 513])
    def test_refuses_what_the_model_cannot_take(
        self, make_tokenizer: Callable[..., Any], requested: int
    ) -> None:
        with pytest.raises(ConfigError, match="512 tokens"):
            resolve_max_length(make_tokenizer(), self.config(max_position_embeddings=512), requested)
