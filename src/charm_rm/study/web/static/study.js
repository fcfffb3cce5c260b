// Keys, a vote that outlives a lost network, the switches. All pages work without this script.
"use strict";
(() => {
  const root = document.documentElement;
  const comparison = document.getElementById("comparison");
  const vote = document.getElementById("vote");
  const status = document.getElementById("status");
  const comment = document.getElementById("comment");
  const box = document.getElementById("comment-box");
  const GRACE = 350; // the second half of a double click, or a key held down, is no vote on the next comparison
  const TIMEOUT = 15000, LONGEST_WAIT = 15000;

  // --- switches ---
  const remember = (name, value) => {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `${name}=${value}; path=${root.dataset.cookiePath}; max-age=31536000; samesite=lax${secure}`;
  };
  const theme = document.getElementById("theme");
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const showTheme = () => theme.setAttribute("aria-pressed", String(dark()));
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    remember("theme", root.dataset.theme);
    showTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
  showTheme();

  const keys = document.getElementById("keys");
  keys?.addEventListener("click", () => {
    root.dataset.keys = root.dataset.keys === "on" ? "off" : "on";
    remember("keys", root.dataset.keys);
    keys.setAttribute("aria-pressed", String(root.dataset.keys === "on"));
  });

  if (!comparison) return;

  // --- what this tab keeps: a vote on its way, a comment begun, the time on the screen ---
  const NAME = "study:" + comparison.dataset.rate;
  const kept = () => {
    try { return JSON.parse(sessionStorage.getItem(NAME)) || {}; } catch { return {}; }
  };
  const keep = (more) => {
    try { sessionStorage.setItem(NAME, JSON.stringify({ ...kept(), ...more })); } catch { /* storage is off: memory has it */ }
  };
  const assignment = comparison.dataset.assignment || "";
  const before = kept();
  if (before.assignment !== assignment) keep({ assignment, comment: "", seconds: 0 });

  // --- time on the screen ---
  let seconds = before.assignment === assignment ? before.seconds || 0 : 0;
  let since = document.visibilityState === "visible" ? performance.now() : null;
  const passed = () => seconds + (since === null ? 0 : (performance.now() - since) / 1000);
  document.addEventListener("visibilitychange", () => {
    seconds = passed();
    since = document.visibilityState === "visible" ? performance.now() : null;
    keep({ seconds });
  });
  addEventListener("pagehide", () => keep({ seconds: passed() }));

  // --- the comment ---
  const showComment = () => box.classList.toggle("written", comment.value.trim() !== "");
  if (comment) {
    if (before.assignment === assignment && before.comment) comment.value = before.comment;
    comment.addEventListener("input", () => { keep({ comment: comment.value }); showComment(); });
    comment.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { box.open = false; box.querySelector("summary").focus(); }
    });
    showComment();
  }

  // --- sending ---
  let pending = null, timer = 0, waiting = false;
  const opened = performance.now();

  const say = (words, { again = false, warn = true } = {}) => {
    status.textContent = words;
    status.classList.toggle("said", warn && words !== "");
    status.classList.toggle("note", !warn);
    if (!again) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Send now";
    button.addEventListener("click", deliver);
    status.append(button);
  };
  const lock = (on) => {
    for (const button of document.querySelectorAll("#vote button, button[form=undo]")) {
      if (on && !button.disabled) { button.disabled = true; button.dataset.locked = ""; }
      if (!on && "locked" in button.dataset) { button.disabled = false; delete button.dataset.locked; button.classList.remove("chosen"); }
    }
    if (comment) comment.readOnly = on;
    if (box && on) box.open = false;
  };
  const leave = (where) => {
    pending = null;
    keep({ pending: null, comment: "", seconds: 0, assignment: "" });
    location.replace(where);
  };
  const later = (words, tries, least) => {
    waiting = true;
    say(words, { again: true });
    timer = setTimeout(deliver, Math.max(least, Math.min(LONGEST_WAIT, 1000 * 2 ** tries)));
  };

  async function deliver() {
    if (!pending || pending.underway) return;
    clearTimeout(timer);
    const what = pending, words = what.words;
    what.underway = true;
    let response = null;
    try {
      response = await fetch(what.action, {
        method: "POST", body: what.body, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(TIMEOUT),
        headers: { "Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json" },
      });
      if (response.ok) { waiting = false; leave((await response.json()).next); return; }
    } catch { response = null; }
    what.underway = false;
    what.tries += 1;
    if (response === null) {
      later(`No connection. ${words} is kept here, and sent as soon as there is one. Leave this page open.`, what.tries, 0);
    } else if (response.status === 429 || response.status >= 500) {
      later(`The study does not answer just now. ${words} is kept here, and sent again.`, what.tries, 1000 * Number(response.headers.get("Retry-After") || 0));
    } else {
      await refuse(response);
    }
  }

  async function refuse(response) {
    pending = null;
    waiting = false;
    keep({ pending: null });
    lock(false);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const parts = [page.querySelector("h1"), page.querySelector(".lead")].map((one) => one?.textContent.trim());
    say("Not saved. " + parts.filter(Boolean).join(". "));
  }

  const send = (form, submitter) => {
    const body = new URLSearchParams(new FormData(form, submitter)).toString();
    const words = form.dataset.sends === "undo" ? "Your undo" : `Your vote (${submitter.firstElementChild.textContent})`;
    pending = { action: form.action, body, words, tries: 0, underway: false };
    keep({ pending });
    submitter.classList.add("chosen");
    lock(true);
    deliver();
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.sends) return;
    event.preventDefault();
    if (pending || !event.submitter || performance.now() - opened < GRACE) return;
    if (form === vote) form.elements.seconds.value = passed().toFixed(1);
    send(form, event.submitter);
  });
  addEventListener("online", () => { if (waiting) deliver(); });
  addEventListener("beforeunload", (event) => { if (waiting) event.preventDefault(); });
  // Back to a page that the browser kept whole: ask for what is open now.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  if (before.pending) { // of this tab, before it was loaded again
    pending = { ...before.pending, tries: 0, underway: false };
    lock(true);
    say(`${pending.words} is being sent.`, { warn: false });
    deliver();
  }

  // --- keys ---
  const CHOICES = { 1: "left", a: "left", arrowleft: "left", 2: "right", b: "right", arrowright: "right", 3: "tie", t: "tie", 4: "both_bad", x: "both_bad" };
  document.addEventListener("keydown", (event) => {
    if (!vote || root.dataset.keys !== "on" || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("textarea, input, select, [contenteditable]")) return;
    const key = event.key.toLowerCase();
    if (key.startsWith("arrow") && event.target.closest(".text [tabindex]")) return;
    if (key === "c") { event.preventDefault(); box.open = true; comment.focus(); return; }
    const button = key === "u" ? document.querySelector("button[form=undo]") : vote.querySelector(`button[value="${CHOICES[key]}"]`);
    if (!button) return;
    event.preventDefault();
    button.click();
  });
})();
