#include "web/pages/assets.h"

namespace web {

const std::string_view kStyleSheet = R"css(:root {
  color-scheme: light dark;
  --bg: #f4f6f8; --card: #fff; --fg: #17202a; --mut: #56616d; --line: #dde3e9; --soft: #eef2f5; --link: #0b5cad;
  --up: #14804a; --down: #c4232b; --warn: #96600a; --unknown: #65707c; --busy: #1a63c4; --calm: #5d6b79;
  --up-bg: #e6f5ec; --down-bg: #fdebec; --warn-bg: #fdf3dc; --unknown-bg: #eef1f4; --busy-bg: #e7f0fd; --calm-bg: #eef1f4;
  --bar: #35a06c; --p0: #5a6bea; --p1: #1f857e; --p2: #a457c2; --p3: #ad7410; --p4: #2b85c7; --p5: #76818c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #0d1218; --card: #151c24; --fg: #e4eaf0; --mut: #93a0ad; --line: #27313c; --soft: #1b242e; --link: #6cb2ff;
    --up: #4cc38a; --down: #ff6b6b; --warn: #e6b04a; --unknown: #98a4b0; --busy: #6aa9ff; --calm: #98a4b0;
    --up-bg: #11291f; --down-bg: #331a1d; --warn-bg: #2e2513; --unknown-bg: #1d2630; --busy-bg: #14263f; --calm-bg: #1d2630;
    --bar: #2f8f62; --p0: #7c8cff; --p1: #3ba7a0; --p2: #c084d8; --p3: #e0a030; --p4: #5aa9e6; --p5: #98a2ad;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { margin: 0; background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: .2em; }
a:hover { text-decoration-color: currentColor; }
h1, h2, h3, p, ol, ul, dl, dd { margin: 0; padding: 0; }
main, .top, .bottom { max-width: 100rem; margin: 0 auto; padding: 0 1.25rem; }
.vh { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; background: var(--card); padding: .5rem; }
.mono { font: .86em/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; overflow-wrap: anywhere; }
.mut { color: var(--mut); font-size: .87rem; } .num, .took { font-variant-numeric: tabular-nums; white-space: nowrap; }
small { font-size: .62em; font-weight: 500; color: var(--mut); }

.top { display: flex; justify-content: space-between; align-items: center; gap: 1rem; padding-top: 1.1rem; padding-bottom: .9rem; }
h1 { font-size: 1.25rem; display: flex; gap: .55rem; align-items: center; min-width: 0; overflow-wrap: anywhere; }
h1 svg { width: 1.9rem; height: 1.9rem; flex: none; background: #0f766e; border-radius: .45rem; padding: .15rem; fill: none; stroke: #fff; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.live { color: var(--mut); font-size: .87rem; white-space: nowrap; display: flex; align-items: center; gap: .45rem; }
.live::before { content: ""; width: .55rem; height: .55rem; border-radius: 50%; background: var(--unknown); }
.live.slow::before { background: var(--warn); } .live.stale { color: var(--down); font-weight: 600; } .live.stale::before { background: var(--down); }
.live.on::before { background: var(--up); }

.up { --c: var(--up); --cb: var(--up-bg); } .down { --c: var(--down); --cb: var(--down-bg); }
.warn { --c: var(--warn); --cb: var(--warn-bg); } .unknown { --c: var(--unknown); --cb: var(--unknown-bg); }
.busy { --c: var(--busy); --cb: var(--busy-bg); } .calm { --c: var(--calm); --cb: var(--calm-bg); }
.g { width: 1em; height: 1em; flex: none; fill: var(--c); vertical-align: -.13em; }
.g .cut, symbol .cut { fill: none; stroke: var(--card); stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.st .g { margin-right: .4em; }
.st { color: var(--c); font-weight: 650; white-space: nowrap; }
.chip { display: inline-block; background: var(--soft); border-radius: .35rem; padding: .02rem .45rem; font-size: .8rem; color: var(--fg); overflow-wrap: anywhere; }
.chip b { font-weight: 500; color: var(--mut); }
.mode-enforce { box-shadow: inset 0 0 0 1px var(--busy); }
.reason { font: 600 .88em/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; color: var(--down); }

.hero { display: flex; align-items: center; gap: .9rem; background: var(--cb); color: var(--fg); border-radius: .8rem; padding: 1.05rem 1.25rem; border: 1px solid color-mix(in srgb, var(--c) 35%, transparent); }
.hero .g { width: 2.1rem; height: 2.1rem; } .hero h2 { font-size: 1.45rem; line-height: 1.25; font-weight: 680; letter-spacing: -.01em; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: .75rem; margin: .75rem 0 1.5rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: .7rem; padding: .6rem .95rem .65rem; min-width: 0; }
.tile dt { color: var(--mut); font-size: .85rem; } .tile dd { font-size: 1.75rem; line-height: 1.15; font-weight: 650; font-variant-numeric: tabular-nums; color: var(--c, var(--fg)); }
.tile .more { font-size: .82rem; font-weight: 400; color: var(--mut); min-height: 1.2em; line-height: 1.2; }

.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 32rem), 1fr)); gap: .9rem; align-items: start; }
.cards > div { min-width: 0; }
.card { background: var(--card); border: 1px solid var(--line); border-left: .3rem solid var(--c); border-radius: .7rem; padding: .85rem 1rem .75rem; }
.card:target, div:target > .card { outline: 2px solid var(--link); }
.card.down { background: linear-gradient(var(--down-bg), var(--card) 7rem); }
.card > header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .2rem .65rem; }
.card h3, .card h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; } .card h3 a { text-decoration: none; } .card h3 a:hover { text-decoration: underline; }
.chips { margin-left: auto; display: flex; flex-wrap: wrap; gap: .3rem; }
.why { margin-top: .45rem; overflow-wrap: anywhere; } .note { margin-top: .4rem; } .rec { margin-top: .45rem; font-size: .92rem; display: flex; flex-wrap: wrap; gap: .2rem .6rem; align-items: baseline; }
.now { color: var(--busy); font-weight: 600; } .now::before { content: "→ "; }
.probes { list-style: none; margin-top: .6rem; }
.probe { border-top: 1px solid var(--line); padding: .5rem 0 .55rem; }
.line { display: flex; flex-wrap: wrap; gap: 0 .6rem; align-items: baseline; } .line .st { font-size: .87rem; min-width: 4.6rem; } .line b { font-weight: 600; }
.line .mono { color: var(--mut); } .took { margin-left: auto; font-size: .92rem; }
.said { font-size: .87rem; color: var(--mut); overflow-wrap: anywhere; } .probe.down .said { color: var(--fg); } .probe:not(.down) .reason { color: var(--warn); } .near { font-size: .82rem; }
.hist { display: block; width: 100%; height: 18px; margin: .3rem 0 .2rem; } .hist .ok { fill: var(--bar); } .hist .bad { fill: var(--down); } .hist .none { fill: var(--line); }
.say { display: block; overflow-wrap: anywhere; }
.phases { display: block; width: 100%; height: 4px; border-radius: 2px; margin: .3rem 0 .15rem; background: var(--soft); }
.legend { font-size: .78rem; color: var(--mut); display: flex; flex-wrap: wrap; gap: 0 .8rem; } .legend span { white-space: nowrap; } .k { display: inline-block; width: .55rem; height: .55rem; border-radius: .15rem; margin-right: .3rem; }
.p0 { fill: var(--p0); } .p1 { fill: var(--p1); } .p2 { fill: var(--p2); } .p3 { fill: var(--p3); } .p4 { fill: var(--p4); } .p5 { fill: var(--p5); }
.k.p0 { background: var(--p0); } .k.p1 { background: var(--p1); } .k.p2 { background: var(--p2); } .k.p3 { background: var(--p3); } .k.p4 { background: var(--p4); } .k.p5 { background: var(--p5); }
.card > footer { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .2rem 1rem; border-top: 1px solid var(--line); padding-top: .5rem; margin-top: .1rem; }
.dep { display: inline-flex; align-items: center; gap: .3rem; font-size: .87rem; margin-right: .4rem; } .dep .g { font-size: .8rem; }

.home { display: flex; gap: .55rem; align-items: center; text-decoration: none; }
.tools { display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; align-items: baseline; justify-content: space-between; margin-bottom: .9rem; }
.search { display: flex; flex-wrap: wrap; gap: .5rem; align-items: baseline; flex: 1 1 20rem; }
input, button, textarea { font: inherit; color: var(--fg); background: var(--card); border: 1px solid var(--mut); border-radius: .45rem; padding: .3rem .7rem; max-width: 100%; }
.search input { flex: 1 1 12rem; max-width: 26rem; min-width: 0; } ::placeholder { color: var(--mut); opacity: 1; } button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.ranges { display: flex; flex-wrap: wrap; gap: .2rem .9rem; align-items: baseline; font-size: .92rem; margin-bottom: .6rem; } .tools .ranges { margin: 0; }
.ranges b { border-bottom: 2px solid var(--link); }
#groups > details { margin-top: 1rem; } summary { cursor: pointer; } #groups summary { margin-bottom: .45rem; overflow-wrap: anywhere; } #groups summary b { font-size: 1.02rem; }
.lines { list-style: none; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: .3rem .6rem; }
.lines li { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .22rem .7rem; display: flex; gap: .6rem; align-items: baseline; min-width: 0; }
.lines .st { font-size: .85rem; } .lines a { overflow-wrap: anywhere; font-weight: 600; text-decoration: none; } .lines a:hover { text-decoration: underline; } .lines time { margin-left: auto; color: var(--mut); font-size: .82rem; white-space: nowrap; }
.more { margin-top: .4rem; }

.panel { margin-top: 1.6rem; } .panel:empty { display: none; } #notices { margin: 0; }
.panel h2 { font-size: 1.1rem; margin-bottom: .5rem; } .panel h2 small { font-size: .8em; margin-left: .2rem; }
.notice { display: flex; gap: .9rem; background: var(--cb); border: 1px solid var(--c); border-radius: .7rem; padding: .8rem 1rem; margin-bottom: .75rem; align-items: baseline; }
.notice > div { min-width: 0; } .notice pre { margin: .5rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; font: .86rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
.list, .wide, .facts, .empty { background: var(--card); border: 1px solid var(--line); border-radius: .7rem; }
.list { list-style: none; } .list > li { padding: .65rem 1rem; } .list > li + li { border-top: 1px solid var(--line); }
.list p { display: flex; flex-wrap: wrap; gap: .15rem .55rem; align-items: baseline; } .list .say { color: var(--mut); }
.list .why { display: block; } .list time { color: var(--mut); font-size: .87rem; }
.empty { padding: .7rem 1rem; color: var(--mut); }
.steps { list-style: none; margin: .45rem 0 .1rem .45rem; border-left: 2px solid var(--line); padding-left: .9rem; }
.steps li { display: flex; flex-wrap: wrap; gap: 0 .6rem; padding: .12rem 0; font-size: .93rem; align-items: baseline; } .steps .mut { margin-left: auto; } .steps .say { flex: 1 1 12rem; }
.wide { overflow-x: auto; } .rules { width: 100%; border-collapse: collapse; } .rules th, .rules td { text-align: left; padding: .5rem 1rem; vertical-align: baseline; }
.rules thead th { color: var(--mut); font-weight: 500; font-size: .85rem; } .rules tbody tr { border-top: 1px solid var(--line); } .rules th .mut { display: block; font-weight: 400; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; padding: .8rem 1rem; } .facts dt { color: var(--mut); }
.panel h3 { font-size: 1rem; margin: 1.1rem 0 .4rem; } .lead { font-size: 1.08rem; margin: .3rem 0; overflow-wrap: anywhere; } #why p { overflow-wrap: anywhere; margin: .15rem 0; }
.bars { display: block; width: 100%; height: 34px; } .bars .ok { fill: var(--bar); } .bars .part { fill: var(--warn); } .bars .bad { fill: var(--down); } .bars .plan { fill: var(--busy); } .bars .none { fill: var(--line); }
.uptime { margin-bottom: 1rem; } .uptime dd { font-size: 1.5rem; white-space: nowrap; } .uptime .more { font-size: .82rem; white-space: normal; }
.axis { display: flex; justify-content: space-between; color: var(--mut); font-size: .82rem; font-variant-numeric: tabular-nums; margin: .2rem 0 .5rem; }
.graph { display: grid; grid-template-columns: max-content 1fr; gap: .6rem; } .scale { height: 200px; display: flex; flex-direction: column; justify-content: space-between; color: var(--mut); font-size: .82rem; text-align: right; line-height: 0; font-variant-numeric: tabular-nums; white-space: nowrap; } .graph + .axis { margin-bottom: .8rem; }
.graph, .curve { min-width: 0; overflow: visible; } .curve { display: block; width: 100%; height: 224px; } .curve svg { overflow: visible; } .curve text { fill: var(--mut); font-size: .82rem; font-variant-numeric: tabular-nums; } .curve path, .key path { fill: none; vector-effect: non-scaling-stroke; } .grid { stroke: var(--line); } .line[class*=" l"] { stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.l0 { stroke: var(--p0); } .l1 { stroke: var(--p1); } .l2 { stroke: var(--p2); } .l3 { stroke: var(--p3); } .l4 { stroke: var(--p4); } .l5 { stroke: var(--p5); } .d1 { stroke-dasharray: 7 4; } .d2 { stroke-dasharray: 2 4; } .d3 { stroke-dasharray: 10 3 2 3; } .d4 { stroke-dasharray: 4 2; } .d5 { stroke-dasharray: 1 5; }
.key { width: 26px; height: 4px; margin-right: .5rem; vertical-align: middle; }
#query label { color: var(--mut); font-size: .87rem; } textarea { display: block; width: 100%; } #query input { margin-left: .3rem; } .fields { display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; align-items: baseline; } #query .ranges { margin: .8rem 0 0; } .notice + .notice { margin-top: 0; }
.plain { margin: .5rem 0 0; padding-left: 1.3rem; } .plain.list { padding: .3rem 1rem .3rem 2.2rem; list-style: decimal; } .plain.list > li { padding: .25rem 0; border: 0; }
.code { margin: 0; padding: .8rem 1rem; overflow-x: auto; white-space: pre; overflow-wrap: normal; }
.story time, .wide time { color: var(--mut); font-size: .87rem; font-variant-numeric: tabular-nums; white-space: nowrap; } .facts dd { overflow-wrap: anywhere; min-width: 0; } .panel p + .facts, form + * { margin-top: .7rem; } form p + p { margin-top: .5rem; }
.bottom { padding-top: 1.5rem; padding-bottom: 2.5rem; color: var(--mut); font-size: .87rem; } .bottom nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; }

@media (max-width: 44rem) {
  main, .top, .bottom { padding-left: .8rem; padding-right: .8rem; }
  .tiles { grid-template-columns: 1fr 1fr; } .uptime dd { font-size: 1.2rem; } .lines { grid-template-columns: repeat(auto-fill, minmax(min(100%, 9.5rem), 1fr)); } .lines time { display: none; }
   .hero h2 { font-size: 1.2rem; }
  .line .mono, .line .mut { order: 1; } .notice { flex-direction: column; gap: .3rem; } .chips { margin-left: 0; } .facts { grid-template-columns: 1fr; } .facts dd { margin-bottom: .4rem; }
  .steps .mut { margin-left: 0; } .rules:not(.keep) thead { display: none; } .rules:not(.keep) tr { display: grid; grid-template-columns: auto auto 1fr; padding: .4rem 0; } .rules th, .rules tr td:last-child { grid-column: 1 / -1; } .rules:not(.keep) th, .rules:not(.keep) td { padding: .1rem 1rem; } .rules.keep th, .rules.keep td { padding: .4rem .6rem; } .rules.values tr { grid-template-columns: 1fr 1fr; } .rules.values td:last-child { grid-column: auto; } .values td::before { content: attr(data-of) " "; color: var(--mut); font-size: .82rem; } .story .say { flex-basis: 100%; }
}
@media (prefers-reduced-motion: no-preference) { .st.busy .g { animation: beat 1.6s ease-in-out infinite; } @keyframes beat { 50% { opacity: .35; } } }
@media print { body { background: #fff; } .bottom { display: none; } }
)css";

}  // namespace web
