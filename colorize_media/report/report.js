// Of ten thousand cards only those in sight exist. Text from files goes into the page as text, never as HTML.
const rows = JSON.parse(document.getElementById("rows").textContent);
const { folders, chunk: CHUNK, statuses: STATUS, decisions: DECISION } = JSON.parse(
  document.getElementById("facts").textContent);
const list = document.getElementById("list");
const find = document.getElementById("find");
const folder = document.getElementById("folder");
const decision = document.getElementById("decision");
const earlier = document.getElementById("earlier");
const everywhere = document.getElementById("everywhere");
const count = document.getElementById("count");
const viewer = document.getElementById("viewer");
const GAP = 14, CAPTION = 98, OVERSCAN = 2;  // px, px, lines of cards
let shown = [], cards = new Map(), columns = 1, width = 0, height = 0, status = "", at = 50, current = 0;

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

// --- pictures: thumbnails lie in blocks of text, taken apart when one of their cards comes in sight

const chunks = new Map();
function thumbnails(row) {
  const number = Math.floor(row.i / CHUNK);
  let lines = chunks.get(number);
  if (!lines) {
    const block = document.getElementById("t" + number);
    lines = block ? block.textContent.split("\n") : [];
    if (chunks.size >= 12) chunks.delete(chunks.keys().next().value);
  } else {
    chunks.delete(number);
  }
  chunks.set(number, lines);
  const [, before, after] = (lines[1 + row.i % CHUNK] || "").split(",");
  const url = (text) => text ? "data:image/jpeg;base64," + text : "";
  return { before: url(before), after: url(after) };
}

function setDivider(picture, slider, value) {
  slider.value = value;
  slider.setAttribute("aria-valuetext", `${100 - value} % in colour`);
  picture.style.setProperty("--at", value + "%");
}

function fill(picture, row, before, after, value) {
  picture.replaceChildren();
  const image = (source, name, text) => {
    const element = make("img", name);
    element.decoding = "async";
    element.alt = text;
    element.src = source;
    picture.append(element);
    return element;
  };
  if (before) image(before, "before", after ? "" : row.name);
  if (after) image(after, before ? "after" : "only", before ? "" : row.name);
  if (!before && !after) picture.append(make("p", "none", row.status === "failed" ? "could not be coloured" : "no picture"));
  if (!before || !after) return;
  const slider = make("input");
  slider.type = "range";
  slider.min = 0;
  slider.max = 100;
  slider.setAttribute("aria-label", `Before and after of ${row.name}`);
  slider.addEventListener("input", () => {
    row.at = Number(slider.value);
    setDivider(picture, slider, row.at);
  });
  picture.append(make("span", "divider"), slider);
  setDivider(picture, slider, value);
}

function card(row, place) {
  const element = make("article", "card " + row.status);
  element.setAttribute("role", "listitem");
  element.setAttribute("aria-setsize", shown.length);
  element.setAttribute("aria-posinset", place + 1);
  const picture = make("div", "picture"), caption = make("div", "caption");
  const { before, after } = thumbnails(row);
  fill(picture, row, before, after, row.at ?? at);
  const name = make("button", "name", row.name);
  name.type = "button";
  name.title = "See it large";
  name.addEventListener("click", () => open(place));
  const why = make("p", "why");
  why.append(make("span", "status", STATUS[row.status] + (row.earlier ? " earlier" : "")), row.reason ? ` – ${row.reason}` : "");
  why.title = row.reason;
  const where = make("div", "place", folders[row.folder]);
  where.title = folders[row.folder];
  caption.append(name, where, why);
  element.append(picture, caption);
  return element;
}

// --- the list

function measure() {
  const whole = list.clientWidth;
  columns = Math.max(1, Math.floor((whole + GAP) / (250 + GAP)));
  width = (whole - GAP * (columns - 1)) / columns;
  height = Math.round(width * 0.72) + CAPTION;
}

function clear() {
  for (const element of cards.values()) element.remove();
  cards.clear();
}

function draw() {
  const line = height + GAP, top = -list.getBoundingClientRect().top;
  const first = Math.max(0, Math.floor(top / line) - OVERSCAN) * columns;
  const last = Math.min(shown.length, (Math.ceil((top + innerHeight) / line) + OVERSCAN) * columns);
  for (const [place, element] of cards) {
    if ((place < first || place >= last) && !element.contains(document.activeElement)) {
      element.remove();
      cards.delete(place);
    }
  }
  for (let place = first; place < last; place++) {
    if (cards.has(place)) continue;
    const element = card(shown[place], place);
    element.style.width = width + "px";
    element.style.height = height + "px";
    const x = (place % columns) * (width + GAP), y = Math.floor(place / columns) * line;
    element.style.transform = `translate(${x}px, ${y}px)`;
    const next = [...cards.keys()].filter((other) => other > place).sort((a, b) => a - b)[0];
    list.insertBefore(element, next === undefined ? null : cards.get(next));  // the Tab key follows the eye
    cards.set(place, element);
  }
}

function lay() {
  measure();
  clear();
  const lines = Math.ceil(shown.length / columns);
  list.style.height = Math.max(0, lines * (height + GAP) - GAP) + "px";
  draw();
}

function filter() {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean), inside = folder.value;
  const beneath = inside + "/";
  shown = rows.filter((row) => {
    const place = folders[row.folder];
    return (!status || row.status === status)
      && (!inside || place === inside || place.startsWith(beneath))
      && (!decision.value || row.decision === decision.value)
      && (!earlier.value || row.earlier === (earlier.value === "earlier"))
      && words.every((word) => (row.text ??= [place, row.name, row.reason, ...(row.warnings || [])].join("\n").toLowerCase())
        .includes(word));
  });
  count.textContent = shown.length === rows.length ? `${rows.length} files` : `${shown.length} of ${rows.length} files`;
  document.getElementById("empty").hidden = shown.length > 0;
  lay();
}

// --- one picture, large

function open(place) {
  current = place;
  const row = shown[place], thumbs = thumbnails(row);
  const picture = viewer.querySelector(".picture"), facts = viewer.querySelector(".facts");
  viewer.querySelector("h2").textContent = row.name;
  fill(picture, row, thumbs.before, thumbs.after, row.at ?? at);
  // The files themselves, where the browser can show them; the thumbnails stay below until they are there.
  for (const [name, address] of [["before", row.before], ["after", row.after]]) {
    const image = picture.querySelector("." + name) || (thumbs[name] && picture.querySelector(".only"));
    if (!image || !address || row.kind !== "photo") continue;
    const full = new Image();
    full.onload = () => { image.src = full.src; };
    full.src = address;
  }
  facts.replaceChildren();
  const line = (...parts) => { const text = make("p"); text.append(...parts); facts.append(text); };
  const link = (address, text) => {
    const element = make("a", "", text);
    element.href = address;
    element.target = "_blank";
    return element;
  };
  const what = make("span", `status ${row.status}`, STATUS[row.status]);
  line(what, row.earlier ? " in an earlier run" : "", row.reason ? ` – ${row.reason}` : "");
  if (row.hint) line(row.hint);
  for (const warning of row.warnings || []) line(`Warning: ${warning}`);
  line("Original: ", row.before ? link(row.before, row.source) : row.source);
  if (row.after) line("In colour: ", link(row.after, row.target));
  if (row.seconds) line(`${row.frames > 1 ? row.frames + " frames, " : ""}${row.seconds.toFixed(1)} s`);
  viewer.querySelector(".previous").disabled = place === 0;
  viewer.querySelector(".next").disabled = place === shown.length - 1;
  if (!viewer.open) viewer.showModal();
  (picture.querySelector("input") || viewer.querySelector(".close")).focus();
}

function step(by) {
  if (current + by >= 0 && current + by < shown.length) open(current + by);
}

viewer.querySelector(".previous").addEventListener("click", () => step(-1));
viewer.querySelector(".next").addEventListener("click", () => step(1));
viewer.querySelector(".close").addEventListener("click", () => viewer.close());
viewer.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "n") step(1);
  if (event.key === "p") step(-1);
});
viewer.addEventListener("close", () => {
  const line = height + GAP, place = Math.floor(current / columns) * line;
  const top = list.getBoundingClientRect().top + scrollY + place;
  if (top < scrollY + 120 || top + line > scrollY + innerHeight) scrollTo(0, top - 120);
  lay();  // dividers that were moved
  cards.get(current)?.querySelector(".name").focus({ preventScroll: true });
});

// --- filters

function options(select, values, label) {
  for (const value of values) {
    const option = make("option", "", label(value));
    option.value = value;
    select.append(option);
  }
}

const within = new Map();  // folder → files in it and below
for (const row of rows) {
  const parts = folders[row.folder].split("/");
  for (let end = 1; end <= parts.length; end++) {
    const name = parts.slice(0, end).join("/");
    if (name) within.set(name, (within.get(name) || 0) + 1);
  }
}
options(folder, [...within.keys()].sort((a, b) => a.localeCompare(b, undefined, { numeric: true })),
  (name) => `${name} (${within.get(name)})`);
options(decision, Object.keys(DECISION).filter((name) => rows.some((row) => row.decision === name)), (name) => DECISION[name]);

const buttons = document.getElementById("statuses");
for (const [name, text] of [["", "All"], ...Object.entries(STATUS)]) {
  const number = name ? rows.filter((row) => row.status === name).length : rows.length;
  if (!number && name) continue;
  const button = make("button", name, `${text} ${number}`);
  button.type = "button";
  button.setAttribute("aria-pressed", name === status);
  button.addEventListener("click", () => {
    status = name;
    for (const other of buttons.querySelectorAll("button")) other.setAttribute("aria-pressed", other === button);
    filter();
  });
  buttons.append(button, " ");
}

let waiting = 0;
find.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
for (const select of [folder, decision, earlier]) select.addEventListener("change", filter);
earlier.parentElement.hidden = !rows.some((row) => row.earlier);
everywhere.addEventListener("input", () => {
  at = Number(everywhere.value);
  everywhere.setAttribute("aria-valuetext", `${100 - at} % in colour`);
  for (const row of rows) delete row.at;
  for (const element of cards.values()) {
    const slider = element.querySelector(".picture input");
    if (slider) setDivider(slider.parentElement, slider, at);
  }
});
document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
let before = 0;
new ResizeObserver(() => {
  if (list.clientWidth === before) return;
  before = list.clientWidth;
  lay();
}).observe(list);
rows.forEach((row, i) => { row.i = i; });
filter();
