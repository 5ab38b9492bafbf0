// Opens a review link: its secret follows the #, which browsers send nowhere, so it is posted instead.
const opening = document.querySelector("form[data-open]");
if (opening && location.hash.length > 1) {
  opening.elements.secret.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  opening.submit();
}
// Follows a running campaign: moves the progress bar, and reloads when there is something to see.
const head = document.querySelector("[data-campaign]");
if (head && !("final" in head.dataset)) {
  const source = new EventSource(`/v1/campaigns/${head.dataset.campaign}/events`);
  const bar = document.querySelector("[data-progress]");
  const step = document.querySelector("[data-step]");
  const opened = Date.now();
  let status = head.dataset.status;
  source.addEventListener("progress", (event) => {
    const told = JSON.parse(event.data);
    if (bar) bar.value = Math.max(bar.value, told.progress);
    if (step && status === "running") step.textContent = told.step.replaceAll("_", " ");
  });
  const seen = [];
  const settle = () => {
    const last = seen.at(-1);
    if (last && last !== status) {
      status = last;
      source.close();
      location.reload();
    }
  };
  let timer;
  source.addEventListener("status", (event) => {
    seen.push(JSON.parse(event.data).status);
    clearTimeout(timer);
    timer = setTimeout(settle, Date.now() - opened < 1000 ? 600 : 150);
  });
}

// Lets a reviewer draw the product's box on the photo: it goes into the field that was chosen last.
const photo = document.querySelector("[data-photo]");
if (photo) {
  const fields = [...document.querySelectorAll("[data-focus]")];
  const rect = photo.querySelector("[data-box]");
  let field = fields[0];
  let from = null;
  const show = () => {
    const edges = (field.value || field.placeholder).split(/[\s,;%]+/).map(Number);
    if (edges.length < 4 || edges.some(Number.isNaN)) return;
    const [left, top, right, bottom] = edges;
    rect.setAttribute("x", left);
    rect.setAttribute("y", top);
    rect.setAttribute("width", Math.max(0, right - left));
    rect.setAttribute("height", Math.max(0, bottom - top));
  };
  const at = (event) => {
    const area = photo.getBoundingClientRect();
    const share = (value, from, span) => Math.min(100, Math.max(0, ((value - from) / span) * 100));
    return [share(event.clientX, area.left, area.width), share(event.clientY, area.top, area.height)];
  };
  for (const each of fields) {
    each.addEventListener("focus", () => { field = each; show(); });
    each.addEventListener("input", show);
  }
  photo.classList.add("draws");
  document.querySelector("[data-drag]").hidden = false;
  photo.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    photo.setPointerCapture(event.pointerId);
    from = at(event);
  });
  photo.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = at(event);
    const edges = [0, 1].map((axis) => Math.min(from[axis], to[axis])).concat([0, 1].map((axis) => Math.max(from[axis], to[axis])));
    field.value = edges.map((edge) => Number(edge.toFixed(1))).join(" ");
    show();
  });
  for (const end of ["pointerup", "pointercancel"]) photo.addEventListener(end, () => { from = null; });
}
