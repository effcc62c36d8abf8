"use strict";
(() => {
  const SIDE = 10, CHARACTER = 7.3;
  const holder = document.getElementById("frames");
  const width = Number(holder.dataset.width);
  const details = document.getElementById("details");
  const matched = document.getElementById("matched");
  const footer = details.textContent;
  const frames = [...holder.children].map((g) => {
    const title = g.querySelector("title").textContent;
    const rect = g.querySelector("rect");
    const value = (name) => Number(rect.getAttribute(name));
    // "name (module): values"
    const name = title.replace(/: \d[^:]*$/, "").replace(/ \([^()]*\)$/, "");
    return { g, title, name, rect, x: value("x") - SIDE, y: value("y"), width: value("width") };
  });
  const show = (frame, x, w, dim) => {
    const { g, rect } = frame;
    const hidden = x + w <= 0 || x >= width || w <= 0;
    g.style.display = hidden ? "none" : "";
    if (hidden) return;
    const left = Math.max(x, 0), right = Math.min(x + w, width);
    rect.setAttribute("x", left + SIDE);
    rect.setAttribute("width", right - left);
    g.classList.toggle("dim", dim);
    label(frame, left, right - left);
  };
  const label = ({ g, name, y }, x, w) => {
    const room = Math.floor((w - 6) / CHARACTER);
    let text = g.querySelector("text");
    if (room < 3) {
      if (text) text.textContent = "";
      return;
    }
    if (!text) {
      text = document.createElementNS("http://www.w3.org/2000/svg", "text");
      g.appendChild(text);
    }
    text.setAttribute("x", x + SIDE + 3);
    text.setAttribute("y", y + 12);
    text.textContent = name.length <= room ? name : name.slice(0, room - 2) + "..";
  };
  const zoom = (to) => {
    const factor = width / to.width;
    for (const frame of frames) {
      const below = frame.y > to.y;
      show(frame, (frame.x - to.x) * factor, frame.width * factor, below);
    }
  };
  const search = (pattern) => {
    const regex = pattern ? new RegExp(pattern, "i") : null;
    let covered = 0, end = -1;
    for (const frame of frames) {
      const hit = regex !== null && regex.test(frame.name);
      frame.g.classList.toggle("hit", hit);
      // frames come depth first: one inside the last hit is covered already
      if (hit && frame.x >= end - 1e-6) {
        covered += frame.width;
        end = frame.x + frame.width;
      }
    }
    matched.textContent = regex ? `matched ${(100 * covered / width).toFixed(2)} %` : "";
  };
  for (const frame of frames) {
    frame.g.addEventListener("click", () => zoom(frame));
    frame.g.addEventListener("mouseenter", () => { details.textContent = frame.title; });
    frame.g.addEventListener("mouseleave", () => { details.textContent = footer; });
  }
  document.getElementById("reset").addEventListener("click", () => zoom(frames[0]));
  document.getElementById("search").addEventListener("click", () => {
    const pattern = prompt("regular expression (empty ends the search)");
    if (pattern === null) return;
    try {
      search(pattern);
    } catch (error) {
      matched.textContent = error.message;
    }
  });
})();
