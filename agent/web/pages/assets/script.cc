#include "web/pages/assets.h"

namespace web {

// Pages are complete without it. It replaces fragments as the event stream brings them, keeps "3 min ago" true, and
// says so within three seconds when nothing comes any more. A page without a stream, or when all streams are taken
// (204), is asked for now and then, and every second whether the agent is there.
const std::string_view kScript = R"js('use strict';
const live = document.getElementById('live');
const root = document.body.dataset.root;
const stream = document.body.dataset.events;
const seen = new Map();
const kinds = {cards: 'div', groups: 'details'};
let skew = Date.now() - Date.parse(document.body.dataset.at);
let heard = Date.now();
let asking = 0;
let waiting = false;

const plain = (html) => html.replace(/(data-ago="[a-z]*">)[^<]*/g, '$1');

function replace(id, html) {
  const place = document.getElementById(id);
  if (!place) return location.reload();
  if ((seen.get(id) ?? plain(place.innerHTML)) === plain(html)) return;
  seen.set(id, plain(html));
  const open = [...place.querySelectorAll('details')].map((each) => each.open);
  place.innerHTML = html;
  place.querySelectorAll('details').forEach((each, i) => { each.open = open[i]; });
  const verdict = id === 'summary' && place.querySelector('[data-title]');
  if (verdict) document.title = verdict.dataset.title;
}

function arrange(lists) {
  for (const [id, wanted] of Object.entries(lists)) {
    const list = document.getElementById(id);
    if (!list) return location.reload();
    for (const old of [...list.children]) {
      if (wanted.includes(old.id)) continue;
      seen.delete(old.id);
      old.remove();
    }
    wanted.forEach((name, i) => {
      let place = document.getElementById(name);
      if (!place) {
        place = document.createElement(kinds[id]);
        place.id = name;
        if (id === 'groups') place.open = true;
      }
      if (list.children[i] !== place) list.insertBefore(place, list.children[i] || null);
    });
  }
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
  const silent = Date.now() - heard;
  const state = silent >= 2500 ? 'stale' : asking && stream ? 'slow' : 'on';
  live.className = 'live ' + state;
  const words = state === 'stale' ? 'No word from the agent for ' + rough(Math.round(silent / 1000)) : state === 'slow' ? 'No live updates (other pages have them all), asking every 10 s' : 'Live';
  if (live.textContent !== words) live.textContent = words;
}

async function fetched(path) {
  const answer = await fetch(path, {cache: 'no-store', signal: AbortSignal.timeout(4000)});
  if (!answer.ok) throw new Error(answer.status);
  heard = Date.now();
  return answer.text();
}

async function beat() {
  if (waiting) return;
  waiting = true;
  try { await fetched(root + '-/healthy'); } catch (e) { /* shown by tick() as silence */ }
  waiting = false;
}

async function poll() {
  try {
    const page = new DOMParser().parseFromString(await fetched(location.href), 'text/html');
    skew = Date.now() - Date.parse(page.body.dataset.at);
    const lists = {};
    for (const id of Object.keys(kinds)) {
      const list = page.getElementById(id);
      if (list) lists[id] = [...list.children].map((each) => each.id);
    }
    arrange(lists);
    for (const next of page.querySelectorAll('main > section[id]:not(#services), #cards > *, #groups > *'))
      replace(next.id, next.innerHTML);
  } catch (e) { /* as above */ }
}

function ask(every) {
  if (!asking) asking = [setInterval(poll, every), setInterval(beat, 1000)];
}

function hear(kind, data) {
  if (kind === 'full') {
    ask(10000);
    return setTimeout(listen, 60000);
  }
  heard = Date.now();
  if (kind === 'alive') return;
  const patch = JSON.parse(data);
  skew = heard - Date.parse(patch.at);
  arrange(patch.lists);
  for (const [id, html] of Object.entries(patch.fragments)) replace(id, html);
  if (asking) asking = asking.forEach(clearInterval) || 0;
}

function listenAlone() {
  const events = new EventSource(stream);
  events.addEventListener('patch', (event) => hear('patch', event.data));
  events.addEventListener('alive', () => hear('alive'));
  events.onerror = () => { if (events.readyState === EventSource.CLOSED) hear('full'); };
}

let worker = null;
const join = () => worker.port.postMessage({open: new URL(stream, location.href).href});

// With the other pages of this browser, where it can.
function listen() {
  if (!window.SharedWorker) return listenAlone();
  if (!worker) {
    worker = new SharedWorker(document.body.dataset.worker);
    worker.onerror = listenAlone;
    worker.port.onmessage = (message) => hear(message.data.kind, message.data.data);
    addEventListener('pagehide', () => worker.port.postMessage({}));
    addEventListener('pageshow', (event) => { if (event.persisted) join(); });
  }
  join();
}

if (stream) listen();
else ask(5000);
setInterval(tick, 500);
tick();
)js";

}  // namespace web
