// What makes the console quicker. Nothing needs it.
"use strict";

const main = document.querySelector("main");
const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]");

// Search everywhere: the palette, on Ctrl-K and /. Without it the box leads to a page with the same results.
const box = document.querySelector("[data-palette]");
let palette, waiting, asking;

function openPalette(text) {
  palette ??= makePalette();
  if (!palette.open) palette.showModal();
  const input = palette.querySelector("input");
  if (text) {
    input.value = text;
    input.dispatchEvent(new Event("input"));
  } else input.select();
}

function makePalette() {
  const dialog = document.createElement("dialog");
  dialog.className = "sp-palette";
  dialog.setAttribute("aria-label", box.getAttribute("aria-label"));
  const form = box.form.cloneNode(true);
  form.className = "sp-find";
  form.querySelector("kbd")?.remove();
  const list = document.createElement("div");
  const status = document.createElement("p");
  status.className = "sp-vh";
  status.setAttribute("role", "status");
  dialog.append(form, list, status);
  document.body.append(dialog);
  const input = form.querySelector("input");
  input.removeAttribute("data-palette");
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    asking?.abort();
    waiting = setTimeout(() => find(input.value, list, status), 120);
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return move(event, input, list);
    event.preventDefault(); // a box of type search would keep it to itself, and be emptied
    dialog.close();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  return dialog;
}

async function find(text, list, status) {
  const url = new URL(box.form.action);
  url.search = new URLSearchParams({ q: text, part: "1" });
  list.dataset.of = "";
  if (!text.trim()) return list.replaceChildren();
  asking = new AbortController();
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html" }, signal: asking.signal });
    if (!answer.ok || answer.redirected) return palette.querySelector("form").submit(); // logged out, say: its page tells
    list.innerHTML = await answer.text();
    list.dataset.of = text;
    status.textContent = list.querySelector("[data-said]").dataset.said;
  } catch (error) {
    if (error.name !== "AbortError") palette.querySelector("form").submit();
  }
}

function move(event, input, list) {
  const hits = [...list.querySelectorAll("a")];
  const at = hits.indexOf(document.activeElement);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    (hits[next] ?? (next < 0 ? input : hits[0]))?.focus();
    event.preventDefault();
  } else if (event.key === "Enter" && at < 0 && hits.length && list.dataset.of === input.value) {
    hits[0].click();
    event.preventDefault();
  }
}

if (box) {
  box.addEventListener("click", () => openPalette());
  box.addEventListener("input", () => {
    const text = box.value;
    box.value = "";
    openPalette(text);
  });
  document.addEventListener("keydown", (event) => {
    const isShortcut = (event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !isTyping(event.target));
    if (!isShortcut) return;
    event.preventDefault();
    openPalette();
  });
}

// Menus close with Esc, and when something else is clicked.
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.sp-menu[open]")) if (menu !== except) menu.open = false;
}
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.sp-menu")));
document.addEventListener("keydown", (event) => {
  const open = document.querySelector("details.sp-menu[open]");
  if (event.key === "Escape" && open) {
    closeMenus();
    open.querySelector("summary").focus();
  }
});

// Lists: all of a page at once; j and k move, x chooses, Enter opens.
for (const all of document.querySelectorAll("[data-all]")) {
  all.hidden = false;
  all.nextElementSibling?.remove();
  all.addEventListener("change", () => {
    for (const each of all.form.querySelectorAll("tbody [type=checkbox]")) each.checked = all.checked;
  });
}
const rows = [...document.querySelectorAll("[data-open]")];
if (rows.length) {
  for (const hint of document.querySelectorAll("[data-keys]")) hint.hidden = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || (isTyping(event.target) && event.target.type !== "checkbox")) return;
    const at = rows.findIndex((row) => row.closest("tr")?.contains(document.activeElement));
    if (event.key === "j") rows[Math.min(at + 1, rows.length - 1)].focus();
    else if (event.key === "k") rows[Math.max(at - 1, 0)].focus();
    else if (event.key === "x" && at >= 0) rows[at].closest("tr").querySelector("[type=checkbox]")?.click();
  });
}

// Tabs that a narrow window cannot show together: the open one is in the middle.
for (const tab of document.querySelectorAll(":is(.sp-tabs, .sp-chips) [aria-current]")) {
  const [all, one] = [tab.parentElement, tab].map((each) => each.getBoundingClientRect());
  tab.parentElement.scrollBy((one.left + one.right - all.left - all.right) / 2, 0);
}

// Copy what a button names.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const named = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText((named.value ?? named.textContent).trim());
    button.setAttribute("data-copied", "");
  });
}

// An address that has in it what is typed elsewhere.
for (const address of document.querySelectorAll("[data-follows]")) {
  const typed = document.getElementById(address.dataset.follows);
  const { pattern, noId } = address.dataset;
  typed.addEventListener("input", () => {
    address.value = pattern.replace(noId, () => typed.value.trim().toLowerCase() || noId);
  });
}

// A login that is about to end says so, two minutes before; at its end the page is gone too.
const idle = document.querySelector("[data-idle]");
let warned, ended;

function watch(seconds) {
  clearTimeout(warned);
  clearTimeout(ended);
  idle.hidden = true;
  warned = setTimeout(() => { idle.hidden = false; }, Math.max(0, seconds - 120) * 1000);
  ended = setTimeout(() => { location.assign(idle.dataset.login); }, (seconds + 1) * 1000);
}

if (idle) {
  watch(Number(idle.dataset.idle));
  idle.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
    if (answer.ok) watch((await answer.json()).seconds);
    else location.assign(idle.dataset.login);
  });
}

// A mail that is edited: its frame follows what is typed. A frame that is new each time leaves no step in the history.
for (const button of document.querySelectorAll("[data-preview]")) {
  let waiting;
  const follow = () => {
    const frame = document.querySelector("iframe[name=preview]");
    const fresh = frame.cloneNode();
    fresh.removeAttribute("src");
    frame.replaceWith(fresh);
    button.form.requestSubmit(button);
    if (idle) watch(Number(idle.dataset.idle));
  };
  button.form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(follow, 500);
  });
  button.form.addEventListener("submit", () => clearTimeout(waiting));
  if (button.dataset.preview === "now") follow();
}
