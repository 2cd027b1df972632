#include "report/style.h"

namespace outerloop::report {

// The palette is blue, orange, green, ink: apart for every common kind of colour blindness, and
// dark or light enough to be read as text.
const char* const kStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --ink: #1c2126; --soft: #5b6670; --edge: #dfe3e8;
  --grid: #e8ebef; --tint: 0, 98, 168; --paper: #ffffff;
  --c0: #0062a8; --c1: #b84a00; --c2: #00785a; --c3: #1c2126;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1d2125; --ink: #e8ebee; --soft: #9ca7b1; --edge: #31373d;
    --grid: #2c3238; --tint: 98, 178, 240; --paper: #0d0f11;
    --c0: #62b2f0; --c1: #ff9e57; --c2: #4cc79a; --c3: #e8ebee;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 28px 16px 48px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 36px 0 12px; }
h3 { font-size: 15px; margin: 0 0 8px; }
p { margin: 0 0 8px; }
.lead, .note, caption { color: var(--soft); }
.note { font-size: 13px; margin: 8px 0 0; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 12px 0 0; }
.tile { background: var(--card); border: 1px solid var(--edge); border-radius: 10px;
  padding: 12px 14px; }
.tile b { display: block; font-size: 20px; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.tile.head { margin-top: 20px; }
.tile.head b { font-size: 34px; line-height: 1.25; }
.tile.head b small { font-size: 20px; font-weight: 500; color: var(--soft); white-space: nowrap; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr));
  gap: 16px; }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; padding: 14px;
  min-width: 0; }
svg { display: block; width: 100%; height: auto; max-width: 640px; margin: 0 auto;
  font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
svg text { fill: var(--soft); }
svg .axis { fill: var(--soft); }
svg .name { font-weight: 600; }
svg .small { font-size: 12px; }
svg .grid { stroke: var(--grid); fill: none; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.dashed { stroke-dasharray: 6 4; }
.whisker { stroke-width: 1.6; fill: none; }
.band { opacity: .16; }
.bar { opacity: .55; }
.rule { stroke: var(--soft); stroke-dasharray: 3 4; fill: none; }
.on-paper { --c0: #0062a8; --c1: #b84a00; --soft: #5b6670; }
.outline { fill: none; stroke: var(--soft); stroke-width: 1; vector-effect: non-scaling-stroke;
  stroke-opacity: .5; }
.s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); }
.s3 { stroke: var(--c3); }
.f0 { fill: var(--c0); } .f1 { fill: var(--c1); } .f2 { fill: var(--c2); } .f3 { fill: var(--c3); }
svg text.t0 { fill: var(--c0); } svg text.t1 { fill: var(--c1); } svg text.t2 { fill: var(--c2); }
svg text.t3 { fill: var(--c3); }
.pair { display: flex; flex-wrap: wrap; gap: 12px 20px; overflow-x: auto; }
.answers { border-collapse: separate; border-spacing: 3px; font-size: 13px;
  font-variant-numeric: tabular-nums; }
.answers caption { text-align: left; padding-bottom: 4px; }
.answers th { font-weight: 400; color: var(--soft); padding: 0; vertical-align: bottom; }
.answers td.p { width: 38px; min-width: 38px; height: 36px; text-align: right; padding: 0 4px; border-radius: 5px;
  background: rgba(var(--tint), calc(var(--p) * .42)); white-space: nowrap; }
.answers td.truth { outline: 2px solid var(--soft); outline-offset: -2px; }
.answers td.answer { font-weight: 700; font-size: 12px; }
.right, .wrong { float: left; font-size: 10px; line-height: 1.7; }
.right { color: var(--c2); } .wrong { color: var(--c1); }
.image { display: block; width: 36px; height: 36px; margin: 1px auto; border-radius: 4px;
  background: var(--paper) center / contain no-repeat; image-rendering: pixelated;
  border: 1px solid var(--edge); }
.facts { width: 100%; border-collapse: collapse; font-size: 14px; }
.facts th, .facts td { text-align: left; vertical-align: top; padding: 4px 0;
  border-bottom: 1px solid var(--grid); }
.facts th { font-weight: 400; color: var(--soft); padding-right: 12px; width: 42%; }
.facts td { overflow-wrap: anywhere; }
.facts tr:last-child th, .facts tr:last-child td { border-bottom: 0; }
.wide { grid-column: 1 / -1; overflow-x: auto; }
.wide svg { max-width: none; min-width: 640px; }
.wide .line { stroke-width: 1.2; }
.rest { opacity: .22; } .good { opacity: .7; }
.wide .best .line { stroke-width: 2.6; } .best .band { opacity: .3; }
.board { width: 100%; border-collapse: collapse; font-size: 14px; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.board th, .board td { text-align: right; padding: 4px 0 4px 14px;
  border-bottom: 1px solid var(--grid); }
.board th { color: var(--soft); font-weight: 400; }
.board th:first-child, .board td:first-child { text-align: left; padding-left: 0; }
details { background: var(--card); border: 1px solid var(--edge); border-radius: 10px;
  padding: 10px 14px; margin-top: 16px; }
summary { cursor: pointer; font-weight: 600; }
pre { overflow-x: auto; font: 12.5px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
@media (prefers-color-scheme: light) {
  .ink .image { filter: invert(1); border-color: #202020; background-color: #000000; } }
@media print { body { background: none; } .card, .tile { break-inside: avoid; } }
)css";

}  // namespace outerloop::report
