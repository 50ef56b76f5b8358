// Keeps an open page current: asks the server for the same page again and puts in the parts that changed. When no
// answer comes, the page covers itself: nothing on it may look current. The browser's own clock is never shown or used
// for ages; only the time since the last good answer is measured, on the monotonic clock.
"use strict";

const POLL = 1000 * Number(document.body.dataset.poll || 5);
const PATIENCE = 2 * POLL + 2000;
let lastGood = performance.now();
let pressed = false;

function span(seconds) {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

function say(lost) {
  document.body.classList.toggle("is-lost", lost);
  document.getElementById("lost").hidden = !lost;
  if (lost) {
    document.getElementById("lost-for").textContent = `Last answer ${span((performance.now() - lastGood) / 1000)} ago; still trying.`;
    if (!document.title.startsWith("LOST – ")) document.title = "LOST – " + document.title;
  }
}

function keepScroll(part, put) {
  const before = [...part.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
  put();
  part.querySelectorAll(".scroll").forEach((box, number) => { if (number in before) box.scrollLeft = before[number]; });
}

function put(fresh) {
  const focused = document.activeElement && document.activeElement.id;
  for (const part of document.querySelectorAll("[data-part]")) {
    const next = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!next) continue;
    part.className = next.className;
    if (part.innerHTML !== next.innerHTML) keepScroll(part, () => { part.innerHTML = next.innerHTML; });
  }
  if (focused && document.activeElement.id !== focused) {
    const again = document.getElementById(focused);
    if (again) again.focus({ preventScroll: true });
  }
  document.title = fresh.title;
}

async function ask() {
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!fresh.querySelector('[data-part="banner"]')) throw new Error("not the ward page");
    if (!pressed) put(fresh);
    lastGood = performance.now();
    say(false);
  } catch {
    say(true);
  }
  setTimeout(ask, POLL);
}

document.addEventListener("pointerdown", () => { pressed = true; });
for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, () => { setTimeout(() => { pressed = false; }, 50); });
setInterval(() => { if (performance.now() - lastGood > PATIENCE) say(true); }, 1000);
for (const box of document.querySelectorAll('[data-scroll="now"]')) box.scrollLeft = 0.64 * box.scrollWidth - 0.6 * box.clientWidth;
if (location.search.includes("said=")) setTimeout(() => history.replaceState(null, "", location.pathname), POLL * 1.5);
setTimeout(ask, POLL);
