"use strict";
// Everything works without this file; it keeps pages fresh, checks rules as one types, and asks before dropping.

function keepFresh(box) {
  const state = document.getElementById("live-state");
  const source = new EventSource(box.dataset.live);
  const say = (text) => { if (state) state.textContent = text; };
  source.onopen = () => say("Live.");
  source.onerror = () => say(source.readyState === EventSource.CLOSED ? "Not live: load the page again." : "Connecting …");
  source.addEventListener("lost", (event) => say(event.data + "."));
  source.onmessage = (event) => {
    if (box.contains(document.activeElement) || String(getSelection())) return; // never pull a page away from its reader
    const open = [...box.querySelectorAll("details")].map((one) => one.open);
    box.innerHTML = event.data; // rendered and escaped by the server, like the page itself
    box.querySelectorAll("details").forEach((one, at) => { if (open[at]) one.open = true; });
    say("Live.");
  };
  addEventListener("pagehide", () => source.close());
}

function tryAsOneTypes(form) {
  const result = document.getElementById("result");
  let timer, asked = 0;
  const busy = () => result.setAttribute("aria-busy", "true"); // the style says "Checking …" over what was found before
  const ask = async () => {
    const mine = ++asked;
    busy();
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.dataset.try, { method: "POST", body });
      const text = await answer.text();
      if (mine !== asked) return;
      result.removeAttribute("aria-busy");
      if (answer.ok) result.innerHTML = text;
      else result.textContent = answer.status === 401 ? "Your session has ended: sign in again." : "That did not work; try again.";
    } catch {
      if (mine !== asked) return;
      result.removeAttribute("aria-busy");
      result.textContent = "Sluice cannot be reached.";
    }
  };
  form.addEventListener("input", () => { busy(); clearTimeout(timer); timer = setTimeout(ask, 300); });
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); ask(); });
}

document.querySelectorAll("[data-live]").forEach(keepFresh);
document.querySelectorAll("[data-try]").forEach(tryAsOneTypes);
document.querySelectorAll("[data-sure]").forEach((button) => {
  button.addEventListener("click", (event) => { if (!confirm(button.dataset.sure)) event.preventDefault(); });
});
document.querySelectorAll("[data-choose]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => {
    const boxes = [...button.form.querySelectorAll("input[type=checkbox]")];
    const all = boxes.every((box) => box.checked);
    boxes.forEach((box) => { box.checked = !all; });
  });
});
