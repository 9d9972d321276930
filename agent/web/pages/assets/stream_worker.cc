#include "web/pages/assets.h"

namespace web {

// One event stream for all pages of a browser that show the same: browsers open six connections to a server at most,
// and the agent has few streams. A page that joins gets what the others have.
const std::string_view kStreamWorker = R"js('use strict';
const streams = new Map();

function add(stream, text) {
  const patch = JSON.parse(text);
  const listed = (lists) => Object.values(lists).flat();
  const now = new Set(listed(patch.lists));
  for (const id of listed(stream.lists)) if (!now.has(id)) delete stream.fragments[id];
  stream.at = patch.at;
  stream.lists = patch.lists;
  Object.assign(stream.fragments, patch.fragments);
}

function start(url) {
  const stream = {ports: new Set(), lists: {}, fragments: {}, at: '', source: new EventSource(url)};
  const tell = (kind, data) => { for (const port of stream.ports) port.postMessage({kind, data}); };
  stream.source.addEventListener('patch', (event) => {
    add(stream, event.data);
    tell('patch', event.data);
  });
  stream.source.addEventListener('alive', () => tell('alive'));
  stream.source.onerror = () => {
    if (stream.source.readyState !== EventSource.CLOSED) return;
    streams.delete(url);
    tell('full');
  };
  streams.set(url, stream);
  return stream;
}

self.onconnect = (event) => {
  const port = event.ports[0];
  let stream;
  let from;
  const leave = () => {
    if (!stream) return;
    stream.ports.delete(port);
    if (stream.ports.size || streams.get(from) !== stream) return;
    stream.source.close();
    streams.delete(from);
  };
  port.onmessage = (message) => {
    leave();
    from = message.data.open;
    stream = from && (streams.get(from) || start(from));
    if (!stream) return;
    stream.ports.add(port);
    const {at, lists, fragments} = stream;
    if (at) port.postMessage({kind: 'patch', data: JSON.stringify({at, lists, fragments})});
  };
};
)js";

}  // namespace web
