// The form: drawn from the question, and read back into it.

import { element } from "./cards.js";
import { fieldsOf, known, weightsOf } from "./question.js";
import { at, state, words } from "./state.js";

const TEXTS = ["query", "user_id", "campaign_id", "item_id", "item_ids", "new_only", "category", "brand", "low", "high", "k"];

export function drawScenarios() {
  const made = Object.keys(state.shop.scenarios).filter(known).map((scenario) => {
    const radio = element("input", { type: "radio", name: "scenario", value: scenario, checked: scenario === state.question.scenario });
    return element("label", {}, radio, words(scenario));
  });
  const held = document.activeElement?.name === "scenario";
  at("scenarios").replaceChildren(...made);
  if (held) at("scenarios").querySelector("input:checked")?.focus();
  showFields();
}

export function showFields() {
  const wanted = fieldsOf(state.question.scenario);
  for (const field of document.querySelectorAll("[data-for]")) field.hidden = !wanted.includes(field.dataset.for);
}

export function drawForm() {
  for (const name of TEXTS) at(name).value = state.question[name];
  at("available").checked = state.question.available;
  at("filters").open ||= ["category", "brand", "low", "high"].some((name) => state.question[name] !== "") || state.question.available;
  at("weights").open ||= Object.keys(weightsOf(state.question)).length > 0;
  drawScenarios();
  drawSliders();
}

export function readForm() {
  for (const name of TEXTS) state.question[name] = at(name).value;
  state.question.available = at("available").checked;
}

export function drawSliders() {
  const members = state.shop.scenarios[state.question.scenario] ?? [];
  const held = document.activeElement?.dataset.member;
  at("sliders").replaceChildren(...members.map(slider));
  if (held) at("sliders").querySelector(`[data-member="${CSS.escape(held)}"]`)?.focus();
}

function slider(member) {
  const id = `weight-${member}`;
  const factor = element("span", { className: "factor", "aria-hidden": "true" });
  const input = element("input", { type: "range", id, min: "0", max: "3", step: "0.1", "data-member": member });
  input.value = state.question.weights[member] ?? 1;
  say(input, factor);
  return element("div", { className: "slider" }, element("label", { htmlFor: id }, member), factor, input);
}

// Take over where a slider stands.
export function readSlider(input) {
  state.question.weights[input.dataset.member] = Number(input.value);
  say(input, input.previousElementSibling);
}

function say(input, factor) {
  const value = Number(input.value).toFixed(1);
  factor.textContent = `× ${value}`;
  input.setAttribute("aria-valuetext", words("times", { value }));
}

export function drawPicture() {
  const { picture } = state;
  at("preview").hidden = at("unpicture").hidden = !picture;
  if (picture) at("preview").src = picture.url;
  else at("preview").removeAttribute("src");
  at("picture-note").textContent = picture
    ? words("picture_ready", { name: picture.name, size: Math.ceil(picture.bytes / 1024) })
    : words("picture_note");
}
