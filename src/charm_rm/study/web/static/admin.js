// The admin's page: figures are loaded again every 30 seconds, and a link can be copied. Everything works without it.
"use strict";

const live = document.getElementById("live");
const again = document.getElementById("refresh");
const said = document.getElementById("refreshed");
const EVERY = 30000;

function clock() {
  return new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

function replaceBy(html) {
  const open = [...live.querySelectorAll("details[open]")].map((one) => one.id);
  live.innerHTML = html;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
}

async function refresh() {
  if (!again.checked || document.hidden || live.contains(document.activeElement)) return;
  try {
    const answer = await fetch(live.dataset.source, { headers: { Accept: "text/html" }, redirect: "error" });
    if (answer.status === 403) {
      again.checked = false;
      said.textContent = "You are signed out. Open the admin link again.";
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    replaceBy(await answer.text());
    said.textContent = `As of ${clock()}`;
  } catch {
    said.textContent = `Not reached at ${clock()}; older figures are shown`;
  }
}

if (live && again) {
  try { again.checked = localStorage.getItem("admin-refresh") !== "off"; } catch { /* not kept then */ }
  again.addEventListener("change", () => {
    try { localStorage.setItem("admin-refresh", again.checked ? "on" : "off"); } catch { /* not kept then */ }
    said.textContent = again.checked ? "" : "Stopped";
  });
  setInterval(refresh, EVERY);
  document.addEventListener("visibilitychange", refresh);
}

const copy = document.getElementById("copy");
copy?.addEventListener("click", async () => {
  const link = document.getElementById("link");
  const told = document.getElementById("copied");
  link.select();
  try {
    await navigator.clipboard.writeText(link.value);
    told.textContent = "Copied.";
  } catch {
    told.textContent = "Press Ctrl+C (on a Mac, Command+C): the link is selected.";
  }
});
