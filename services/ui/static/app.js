// What the pages do more with JavaScript than without: count down, follow the
// progress, and send each form once.
"use strict";

document.documentElement.classList.add("scripted");

// clock writes seconds as 0:58, 9:41 or 1:05:00.
function clock(seconds) {
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// countDown shows how long span has left, and calls over when that is nothing.
// It reads the clock each time: timers stand still in a sleeping phone.
function countDown(span, over) {
  const end = Date.now() + Number(span.dataset.countdown) * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left <= 0) {
      clearInterval(timer);
      over();
      return;
    }
    span.textContent = clock(left);
  };
  const timer = setInterval(tick, 1000);
  tick();
}

for (const span of document.querySelectorAll("[data-countdown]")) {
  const text = span.closest("[data-after]");
  const button = span.closest("form")?.querySelector("button[data-wait]");
  if (button) button.disabled = true;
  countDown(span, () => {
    if (button) button.disabled = false;
    if (text) {
      text.textContent = text.dataset.after;
      text.classList.add("over");
    }
  });
}

// A second click would send the form again while the first is under way.
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    form.querySelector("button")?.setAttribute("aria-busy", "true");
  });
}

// A page that comes back from the browser's memory may be of an earlier step.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// follow puts the newest progress into place until there is nothing to wait for,
// ever more slowly. After ten minutes the person has to ask.
async function follow(place) {
  const begun = Date.now();
  for (let pause = 1000; Date.now() - begun < 600_000; pause = Math.min(pause * 1.5, 15_000)) {
    if (place.querySelector("[data-complete]")) return;
    await new Promise((resolve) => setTimeout(resolve, pause));
    try {
      const answer = await fetch(place.dataset.follow, { redirect: "error" });
      if (answer.status === 404) break; // the session has ended
      if (!answer.ok) continue;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("progress");
      const shown = place.querySelector("#progress");
      if (fresh && fresh.outerHTML !== shown?.outerHTML) shown?.replaceWith(fresh);
    } catch {
      // Offline, or a replica is being replaced: the next round may do better.
    }
  }
  document.documentElement.classList.remove("scripted");
}

const place = document.querySelector("[data-follow]");
if (place) follow(place);
