// The page: the address says what is asked, the form changes the address, the server answers.

import { calm, clear, complain, drawAnswer, tell } from "./answer.js";
import { element } from "./cards.js";
import { drawForm, drawPicture, drawScenarios, drawSliders, readForm, readSlider, showFields } from "./form.js";
import { shrink } from "./picture.js";
import { fieldsOf, fromAddress, instanceOf, known, MAX_K, problem, toAddress, weightsOf } from "./question.js";
import { about, goodsOf, predictions, ServerError } from "./server.js";
import { at, state, words } from "./state.js";

const PAUSE_MS = 200; // a slider that moves asks once it rests

function translate() {
  document.documentElement.lang = state.language === "zh" ? "zh-Hans" : "en";
  document.title = words("title");
  for (const place of document.querySelectorAll("[data-say]")) place.textContent = words(place.dataset.say);
  const other = state.language === "zh" ? "en" : "zh";
  at("language").textContent = other === "zh" ? "中文" : "English";
  at("language").lang = other;
  drawScenarios();
  drawSliders();
  drawPicture();
  if (state.shown) drawAnswer();
  if (state.status) tell(...state.status);
}

// how: "push" or "replace" the address, or "" to leave it
async function ask(how) {
  clearTimeout(state.pause);
  calm();
  const wrong = problem(state.question, state.picture);
  if (wrong) return complain(wrong[0], {}, wrong[1], wrong[2]);
  if (how) history[`${how}State`](null, "", toAddress(state.question, state.language));
  state.asking?.abort();
  const own = (state.asking = new AbortController());
  at("results").setAttribute("aria-busy", "true");
  tell("asking");
  try {
    const started = performance.now();
    const instance = instanceOf(state.question, state.picture);
    const weights = weightsOf(state.question);
    const weighed = Object.keys(weights).length > 0;
    const moved = weighed && state.question.scenario !== "ads"; // to ask for ads twice would show each of them twice
    const instances = moved ? [{ ...instance, weights }, { ...instance, k: MAX_K, explain: false }] : [weighed ? { ...instance, weights } : instance];
    const [answer, plain] = await predictions(instances, own.signal);
    const ms = Math.round(performance.now() - started);
    const goods = await goodsOf(answer.items.map((item) => item.item_id), own.signal);
    if (own.signal.aborted) return;
    const before = Object.fromEntries((plain?.items ?? []).map((item) => [item.item_id, item.position]));
    state.shown = { answer, goods, before, moved, question: structuredClone(state.question), picture: Boolean(instance.image_b64) };
    drawAnswer();
    const n = answer.items.length;
    const found = answer.users?.length ? ["users", { n: answer.users.length }] : [n === 1 ? "found_one" : "found", { n }];
    tell("took", { found, question: state.shown, ms });
  } catch (error) {
    if (own.signal.aborted) return;
    if (!(error instanceof ServerError)) throw error;
    clear();
    complain(error.key, error.values);
  } finally {
    if (state.asking === own) at("results").setAttribute("aria-busy", "false");
  }
}

async function take(file) {
  if (!file) return;
  const made = await shrink(file);
  if (!made) return complain("no_picture");
  leave();
  state.picture = made;
  if (!fieldsOf(state.question.scenario).includes("image")) state.question.scenario = "similar";
  if (state.question.scenario === "similar") state.question.item_id = "";
  drawForm();
  drawPicture();
  if (!problem(state.question, state.picture)) ask("push");
}

function leave() {
  if (state.picture) URL.revokeObjectURL(state.picture.url);
  state.picture = null;
  at("file").value = "";
}

function wire() {
  at("question").addEventListener("submit", (event) => {
    event.preventDefault();
    readForm();
    ask("push");
  });
  at("scenarios").addEventListener("change", (event) => {
    readForm();
    state.question.scenario = event.target.value;
    state.question.weights = {};
    showFields();
    drawSliders();
    calm();
    if (!problem(state.question, state.picture)) ask("push");
  });
  at("sliders").addEventListener("input", (event) => {
    readSlider(event.target);
    clearTimeout(state.pause);
    state.pause = setTimeout(() => ask("replace"), PAUSE_MS);
  });
  at("reset").addEventListener("click", () => {
    state.question.weights = {};
    drawSliders();
    ask("replace");
  });
  at("reasons").addEventListener("click", () => {
    const open = at("reasons").getAttribute("aria-pressed") !== "true";
    at("reasons").setAttribute("aria-pressed", String(open));
    for (const why of document.querySelectorAll(".why")) why.open = open;
  });
  at("language").addEventListener("click", () => {
    readForm();
    state.language = state.language === "zh" ? "en" : "zh";
    history.replaceState(null, "", toAddress(state.question, state.language));
    translate();
  });
  at("products").addEventListener("click", (event) => {
    const link = event.target.closest("a[data-go]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    leave();
    drawPicture();
    go(fromAddress(new URL(link.href).search), "push");
    at("results").focus();
  });
  at("file").addEventListener("change", (event) => take(event.target.files[0]));
  at("unpicture").addEventListener("click", () => {
    leave();
    drawPicture();
    at("file").focus();
  });
  wireDrop();
  window.addEventListener("popstate", () => go(fromAddress(location.search), ""));
}

function wireDrop() {
  const mark = (over) => at("picture").classList.toggle("over", over);
  for (const kind of ["dragenter", "dragover"]) {
    window.addEventListener(kind, (event) => {
      event.preventDefault();
      mark(true);
    });
  }
  window.addEventListener("dragleave", () => mark(false));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    readForm();
    take(event.dataTransfer?.files[0]);
  });
}

function go(question, how) {
  const served = Object.keys(state.shop.scenarios).filter(known);
  if (!served.includes(question.scenario)) question.scenario = served[0] ?? "recommend";
  state.question = question;
  drawForm();
  ask(how);
}

async function start() {
  if (!known(state.question.scenario)) state.question.scenario = "recommend";
  translate();
  wire();
  drawForm();
  try {
    state.shop = await about();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    return complain(error.key, error.values);
  }
  const options = (values) => values.map((value) => element("option", { value }));
  at("users").replaceChildren(...options(state.shop.users));
  at("queries").replaceChildren(...options(state.shop.queries));
  const addressed = new URLSearchParams(location.search).has("scenario");
  if (addressed || "recommend" in state.shop.scenarios) return go(state.question, "");
  drawForm();
}

start();
