"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  document.documentElement.classList.add("js");

  // One page at a time; the others are a click or a key away. Printing shows all of them.
  const pages = all("main > section");
  const links = all("nav a");
  const show = () => {
    const wanted = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const page = (wanted && wanted.closest("main > section")) || pages[0];
    for (const each of pages) each.classList.toggle("now", each === page);
    for (const link of links) {
      if (link.hash === "#" + page.id) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (wanted && wanted !== page && page.contains(wanted)) {
      for (let d = wanted.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
      wanted.scrollIntoView({ block: "center" });
    } else scrollTo(0, 0);
  };
  addEventListener("hashchange", show);
  show();

  // Tables sort by their headings and filter by words.
  const value = (row, at) => {
    const cell = row.cells[at];
    const text = cell.dataset.v ?? cell.textContent.trim();
    if (text === "" || text === "-") return null;
    const plain = Number(text.replace(/[,%~ +]/g, ""));
    return cell.classList.contains("n") && !Number.isNaN(plain) ? plain : text;
  };
  const sort = (table, at, descending) => {
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [value(row, at), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
      return descending ? -order : order;
    });
    body.append(...keyed.map(([, row]) => row));
  };
  for (const table of all("table.t")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, at) => {
      const button = make("button", { type: "button", textContent: head.textContent });
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const descending = head.ariaSort ? head.ariaSort === "ascending" : head.classList.contains("n");
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sort(table, at, descending);
      });
    });
    if (table.tBodies[0].rows.length < 8) continue;
    const tools = make("div", { className: "tools" });
    const label = make("label", { textContent: "Filter " });
    const input = make("input", { type: "search", placeholder: "words in a row" });
    input.setAttribute("aria-label", "Filter: " + table.caption.textContent.trim());
    const found = make("output", {});
    label.append(input);
    tools.append(label, found);
    table.parentElement.before(tools);
    let texts = null;
    input.addEventListener("input", () => {
      texts ??= new Map([...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]));
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let many = 0;
      for (const [row, text] of texts) {
        row.hidden = !words.every((word) => text.includes(word));
        many += !row.hidden;
      }
      found.textContent = words.length ? `${many.toLocaleString("en")} of ${texts.size.toLocaleString("en")}` : "";
    });
  }

  // Values beside the pointer.
  const tip = make("div", { id: "tip", hidden: true });
  tip.setAttribute("role", "status");
  document.body.append(tip);
  const told = new WeakMap();
  const words = (target, event) => {
    const strip = target.closest("svg.st");
    if (strip) {
      const { from, step, many } = strip.closest("table").dataset;
      const box = strip.getBoundingClientRect();
      const at = Math.min(many - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * many)));
      const day = (n) => new Date((Number(from) + n * step) * 864e5).toISOString().slice(0, 10);
      const names = { sF: "full", sP: "partial", sM: "missing", sW: "waived", sA: "after the last bar", sN: "nothing expected" };
      const name = names[target.getAttribute("class")] ?? "before the first bar";
      return `${day(at)} to ${day(at + 1 - 1 / step)}: ${name}`;
    }
    if (!target.closest("svg.pic")) return null;
    if (!told.has(target)) {
      const title = target.querySelector(":scope > title");
      told.set(target, title && title.textContent);
      if (title) title.remove();
    }
    return told.get(target);
  };
  document.addEventListener("pointermove", (event) => {
    const text = event.target instanceof Element ? words(event.target, event) : null;
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const { offsetWidth: wide, offsetHeight: tall } = tip;
    const left = Math.min(event.clientX + 14, innerWidth - wide - 8);
    const top = event.clientY + 18 + tall > innerHeight ? event.clientY - tall - 10 : event.clientY + 18;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${top}px`;
  });

  // Pictures zoom: buttons, keys, and a drag to move.
  for (const svg of all("svg.zoom")) {
    const whole = svg.viewBox.baseVal;
    const [w, h] = [whole.width, whole.height];
    let [x, y, scale] = [0, 0, 1];
    const apply = () => {
      x = Math.min(Math.max(x, 0), w - w / scale);
      y = Math.min(Math.max(y, 0), h - h / scale);
      svg.setAttribute("viewBox", `${x} ${y} ${w / scale} ${h / scale}`);
    };
    const zoom = (factor) => {
      const [cx, cy] = [x + w / scale / 2, y + h / scale / 2];
      scale = Math.min(Math.max(scale * factor, 1), 24);
      [x, y] = [cx - w / scale / 2, cy - h / scale / 2];
      apply();
    };
    const move = (dx, dy) => {
      x += (dx * w) / scale;
      y += (dy * h) / scale;
      apply();
    };
    const reset = () => {
      [x, y, scale] = [0, 0, 1];
      apply();
    };
    const tools = make("div", { className: "tools zoom" });
    for (const [text, name, action] of [["+", "Zoom in", () => zoom(1.6)], ["−", "Zoom out", () => zoom(1 / 1.6)], ["Reset", "Show the whole picture", reset]]) {
      const button = make("button", { type: "button", textContent: text, title: name });
      button.setAttribute("aria-label", name);
      button.addEventListener("click", action);
      tools.append(button);
    }
    const pan = svg.closest(".pan");
    pan.before(tools);
    pan.removeAttribute("tabindex"); // one stop on the way: the picture itself scrolls and zooms
    svg.setAttribute("tabindex", "0");
    const keys = { "+": () => zoom(1.6), "-": () => zoom(1 / 1.6), 0: reset, ArrowLeft: () => move(-0.15, 0), ArrowRight: () => move(0.15, 0), ArrowUp: () => move(0, -0.15), ArrowDown: () => move(0, 0.15) };
    svg.addEventListener("keydown", (event) => {
      const action = keys[event.key];
      if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key.startsWith("Arrow") && scale === 1) return;
      event.preventDefault();
      action();
    });
    let held = null;
    svg.addEventListener("pointerdown", (event) => { if (scale > 1) { held = [event.clientX, event.clientY]; svg.setPointerCapture(event.pointerId); } });
    svg.addEventListener("pointerup", () => { held = null; });
    svg.addEventListener("pointermove", (event) => {
      if (!held) return;
      const box = svg.getBoundingClientRect();
      move((held[0] - event.clientX) / box.width, (held[1] - event.clientY) / box.height);
      held = [event.clientX, event.clientY];
    });
  }
})();
