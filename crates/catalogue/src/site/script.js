// Search and filter, copying, and the place where the pages lie. Without it everything can still be read.
"use strict";

const root = new URL(document.querySelector("link[rel=stylesheet]").href);
const base = new URL("..", root).href.replace(/\/$/, "");

for (const code of document.querySelectorAll(".command code")) {
  code.textContent = code.textContent.replaceAll("CATALOGUE-URL", base);
}

for (const figure of document.querySelectorAll(".command")) {
  if (!navigator.clipboard) break; // only offered to pages from https, localhost and files
  const title = figure.querySelector("figcaption");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy: " + title.textContent);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(figure.querySelector("code").textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  title.append(button);
}

// A link to a platform opens its commands.
function open() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") {
    for (const other of document.querySelectorAll(".platforms details")) other.open = other === target;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", open);
open();

const controls = document.querySelector(".controls");
if (controls) {
  const search = document.getElementById("search");
  const platform = document.getElementById("platform");
  const channel = document.getElementById("channel");
  const output = controls.querySelector("output");
  const none = document.querySelector(".none");
  const table = document.getElementById("runtimes");
  const rows = [...table.tBodies[0].rows];

  const fits = (row) => {
    const text = row.dataset.search;
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const cells = [...row.cells].filter((cell) =>
      cell.dataset.channel
      && (!platform.value || cell.dataset.platform === platform.value)
      && (!channel.value || cell.dataset.channel === channel.value));
    return cells.length > 0 && words.every((word) => text.toLowerCase().includes(word));
  };
  const filter = () => {
    for (const row of rows) row.hidden = !fits(row);
    const shown = rows.filter((row) => !row.hidden).length;
    const all = shown === rows.length;
    output.textContent = (all ? "" : shown + " of ") + rows.length + (rows.length === 1 ? " runtime" : " runtimes");
    none.hidden = shown > 0;
    table.hidden = shown === 0;
  };
  const clear = () => {
    search.value = platform.value = channel.value = "";
    filter();
    search.focus();
  };

  controls.hidden = false;
  controls.addEventListener("input", filter);
  controls.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", clear);
  addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      clear();
    }
  });
  filter(); // the browser may have kept what was typed before
}
