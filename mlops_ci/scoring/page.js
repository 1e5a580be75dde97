"use strict";
(() => {
  // The service may live below any path, named with or without a slash at its end.
  const base = document.getElementById("form")
    ? location.pathname.replace(/\/*$/, "/")
    : location.pathname.replace(/[^/]*\/*$/, "");
  for (const link of document.querySelectorAll("nav a")) {
    link.href = base + link.getAttribute("href").replace("./", "");
  }

  const form = document.getElementById("form");
  if (!form) return;
  const answer = document.getElementById("answer");
  const controls = [...form.querySelectorAll("[data-column]")];

  function element(name, text, ...children) {
    const made = document.createElement(name);
    if (text !== "") made.textContent = text;
    made.append(...children);
    return made;
  }

  // Nothing is judged here: what is no number goes out as the text that it is, and the service says what it misses.
  function value(control) {
    const raw = control.value;
    if (raw === "") return null;
    if (control.dataset.kind === "json") return JSON.parse(raw);
    if (control.dataset.kind === "text") return raw;
    const trimmed = raw.trim();
    if (trimmed === "") return null;
    const number = Number(trimmed);
    return Number.isFinite(number) ? number : raw;
  }

  function record() {
    // Not by assignment: a column may be called __proto__.
    return Object.fromEntries(controls.map((control) => [control.dataset.column, value(control)]));
  }

  function say(control, what) {
    const place = document.getElementById(control.id.replace("f", "p"));
    place.textContent = what;
    place.hidden = what === "";
    if (what) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }

  function show(...parts) {
    answer.replaceChildren(...parts);
  }

  function problems(content) {
    const elsewhere = [];
    let first = null;
    for (const problem of content.problems || []) {
      const control = controls.find((one) => one.dataset.column === problem.field);
      if (control) {
        say(control, problem.what);
        first = first || control;
      } else {
        elsewhere.push(element("li", [problem.field, problem.what].filter(Boolean).join(" ")));
      }
    }
    const marked = first && !elsewhere.length;
    const parts = [element("p", marked ? "not scored: see the marked fields" : content.error || "the service gave no reason")];
    parts[0].className = "problem";
    if (elsewhere.length) parts.push(element("ul", "", ...elsewhere));
    show(...parts);
    if (first) first.focus();
  }

  function number(value) {
    return Number.isInteger(value) ? String(value) : value.toPrecision(6).replace(/(\.\d*?)0+($|e)/, "$1$2").replace(/\.($|e)/, "$1");
  }

  function predicted(prediction) {
    if ("value" in prediction) {
      const said = element("p", number(prediction.value));
      said.className = "label";
      return [said];
    }
    const label = element("p", String(prediction.label));
    label.className = "label";
    label.dir = "auto";
    const rows = Object.entries(prediction.probabilities).map(([name, share]) => {
      const meter = document.createElement("meter");
      meter.max = 1;
      meter.value = share;
      meter.setAttribute("aria-label", `probability of ${name}`);
      const head = element("th", "", element("bdi", name));
      head.scope = "row";
      const row = element("tr", "", head, element("td", "", meter), element("td", `${(100 * share).toFixed(1)} %`));
      if (name === String(prediction.label)) row.className = "chosen";
      return row;
    });
    return [label, element("table", "", element("tbody", "", ...rows))];
  }

  function exchange(sent, content) {
    const quoted = JSON.stringify(sent).replaceAll("'", "'\\''");
    const command = `curl -s '${new URL("score", location.origin + base)}' -H 'content-type: application/json' -d '${quoted}'`;
    return element(
      "details", "",
      element("summary", "As JSON"),
      element("pre", command),
      element("pre", JSON.stringify(content, null, 2)),
    );
  }

  async function score(event) {
    event.preventDefault();
    for (const control of controls) say(control, "");
    const sent = [record()];
    answer.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(base + "score", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(sent),
      });
      const content = await response.json();
      if (response.ok) {
        const served = element("p", `version ${content.version}, request ${content.request_id}`);
        served.className = "hint";
        show(...predicted(content.predictions[0]), served, exchange(sent, content));
      } else {
        problems(content);
      }
    } catch (error) {
      problems({ error: `there is no answer: ${error.message}` });
    } finally {
      answer.removeAttribute("aria-busy");
    }
  }

  function fill(text) {
    for (const control of controls) {
      control.value = text(control);
      say(control, "");
    }
    controls[0].focus();
  }

  form.addEventListener("submit", score);
  document.getElementById("example").addEventListener("click", () => fill((control) => control.dataset.example));
  document.getElementById("clear").addEventListener("click", () => fill(() => ""));
})();
