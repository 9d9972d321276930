#include "web/pages/assets.h"

namespace web {

// The page is complete without it. It replaces fragments as the event stream brings them, keeps "3 min ago" true, and
// says so when nothing comes any more. Where all streams are taken (204) it asks for the page now and then.
const std::string_view kScript = R"js('use strict';
const live = document.getElementById('live');
const seen = new Map();
const places = () => document.querySelectorAll('main > section.panel, #summary, .cards > div');
let skew = Date.now() - Date.parse(document.body.dataset.at);
let heard = Date.now();
let polling = 0;

function replace(id, html) {
  if (seen.get(id) === html) return;
  const place = document.getElementById(id);
  if (!place) return location.reload();
  seen.set(id, html);
  place.innerHTML = html;
  const verdict = id === 'summary' && place.querySelector('[data-title]');
  if (verdict) document.title = verdict.dataset.title;
}

function rough(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' min';
  if (s < 86400) return Math.floor(s / 3600) + ' h' + (s % 3600 < 60 ? '' : ' ' + Math.floor(s % 3600 / 60) + ' min');
  return Math.floor(s / 86400) + ' d';
}

function tick() {
  for (const time of document.querySelectorAll('time[data-ago]')) {
    const text = rough((Date.now() - skew - Date.parse(time.dateTime)) / 1000);
    const words = time.dataset.ago === 'for' ? 'for ' + text : text + ' ago';
    if (time.textContent !== words) time.textContent = words;
  }
  const silent = Math.round((Date.now() - heard) / 1000);
  const state = silent > 40 ? 'stale' : polling ? 'slow' : 'on';
  live.className = 'live ' + state;
  const words = state === 'stale' ? 'No word from the agent for ' + rough(silent) : state === 'slow' ? 'No live updates (other pages have them all), asking every 10 s' : 'Live';
  if (live.textContent !== words) live.textContent = words;
}

async function poll() {
  try {
    const answer = await fetch(location.pathname, {cache: 'no-store'});
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    heard = Date.now();
    skew = heard - Date.parse(page.body.dataset.at);
    for (const place of places()) {
      const next = page.getElementById(place.id);
      if (!next) return location.reload();
      replace(place.id, next.innerHTML);
    }
  } catch (e) { /* shown by tick() as silence */ }
}

function listen() {
  const events = new EventSource(document.body.dataset.events);
  events.addEventListener('patch', (event) => {
    heard = Date.now();
    const patch = JSON.parse(event.data);
    skew = heard - Date.parse(patch.at);
    if (patch.places !== places().length) return location.reload();
    for (const [id, html] of Object.entries(patch.fragments)) replace(id, html);
    if (polling) polling = clearInterval(polling) || 0;
  });
  events.addEventListener('alive', () => { heard = Date.now(); });
  events.onerror = () => {
    if (events.readyState !== EventSource.CLOSED) return;
    if (!polling) polling = setInterval(poll, 10000);
    setTimeout(listen, 60000);
  };
}

listen();
setInterval(tick, 1000);
tick();
)js";

}  // namespace web
