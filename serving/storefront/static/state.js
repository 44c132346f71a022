// What the page knows, and the short ways to its parts and words.

import { fromAddress } from "./question.js";
import { LANGUAGES, say } from "./words.js";

export const at = (id) => document.getElementById(id);

export const state = {
  language: [new URLSearchParams(location.search).get("lang"), navigator.language.slice(0, 2)].find((one) => Object.hasOwn(LANGUAGES, one)) ?? "en",
  question: fromAddress(location.search),
  picture: null, // what `picture.js` made
  shop: { scenarios: {}, users: [], queries: [], currency: "" },
  shown: null, // the last answer, so that another language needs no other question
  status: null, // what was told last
  asking: null, // stops the question under way
  pause: 0, // the timer of a slider that moves
};

export const words = (key, values) => say(state.language, key, values);
