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
