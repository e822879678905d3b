"""How a report looks: quiet, pictures first, light and dark, on a phone and on paper.

All text reaches a contrast of 4.5:1 on its ground (WCAG 2.2 AA), frames and marks 3:1; a test computes it.
"""

from __future__ import annotations

__all__ = ["DARK", "LIGHT", "STYLE"]

# One entry a colour: what is text or a mark on ``ground`` and ``card`` must stand out from both.
LIGHT = {
    "ground": "#f7f7f5", "card": "#ffffff", "ink": "#1d2125", "quiet": "#5b646d", "edge": "#e2e3e0",
    "good": "#1a7f37", "bad": "#c93030", "s1": "#1f66c1", "s2": "#a2520a", "s3": "#6b4bb8", "hollow": "#eeeeeb",
}  # fmt: skip
DARK = {
    "ground": "#141618", "card": "#1d2023", "ink": "#e7e9eb", "quiet": "#a3abb3", "edge": "#33383d",
    "good": "#3fb760", "bad": "#f26d6d", "s1": "#6fb0ff", "s2": "#f0a35c", "s3": "#b9a3f5", "hollow": "#2a2e32",
}  # fmt: skip


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue","Noto Sans","Liberation Sans",Arial,sans-serif;font-variant-numeric:tabular-nums}
header,main,footer{max-width:1180px;margin:0 auto;padding:0 24px}
header{padding-top:44px}
h1{font-size:1.9rem;line-height:1.2;font-weight:650;letter-spacing:-.015em;margin:0 0 10px;overflow-wrap:anywhere}
h2{font-size:1.25rem;font-weight:620;letter-spacing:-.008em;margin:52px 0 6px}
h3{font-size:1rem;font-weight:600;margin:0;overflow-wrap:anywhere}
h4{font-size:.8rem;font-weight:500;color:var(--quiet);margin:0 0 8px}
p{margin:0 0 10px;max-width:72ch}
.lead,.quiet{color:var(--quiet)}
header .lead{font-size:1.02rem}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.symbols{position:absolute;width:0;height:0}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(236px,1fr));gap:14px;margin:20px 0 18px;padding:0;
list-style:none}
.card{background:var(--card);border:1px solid var(--edge);border-radius:12px;padding:16px 18px 14px}
.card .what{color:var(--quiet);font-size:.88rem;margin:0}
.card .value{font-size:2.1rem;line-height:1.15;font-weight:620;letter-spacing:-.02em;margin:4px 0 2px}
.card .range{color:var(--quiet);font-size:.84rem;margin:0}
.interval{display:block;width:160px;height:20px;max-width:100%}
.interval .rail{stroke:var(--edge);stroke-width:2}
.interval .span{stroke:var(--s1);stroke-width:4;stroke-linecap:round;opacity:.55}
.interval .point{fill:var(--s1)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--edge);border-radius:12px;margin:14px 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:9px 14px;text-align:left;vertical-align:top;border-top:1px solid var(--edge)}
thead th{border-top:0;color:var(--quiet);font-weight:500;font-size:.82rem;white-space:nowrap}
tbody th{font-weight:560;overflow-wrap:anywhere;min-width:9em}
.n{text-align:right;white-space:nowrap}
td .definition{display:block;min-width:16em;color:var(--quiet);font-size:.84rem}
code{font:.86em ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;color:var(--quiet);
font-weight:400}
details{margin:10px 0}
summary{cursor:pointer;color:var(--quiet);font-size:.9rem}
summary:focus-visible{outline:2px solid var(--s1);outline-offset:3px;border-radius:4px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 20px;margin:14px 0;font-size:.92rem}
dt{color:var(--quiet)}
dd{margin:0;overflow-wrap:anywhere}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));gap:16px;margin:16px 0}
.plots>figure{background:var(--card);border:1px solid var(--edge);border-radius:12px;margin:0;padding:16px 16px 12px}
.plots figcaption{font-weight:600;font-size:.95rem;margin-bottom:2px}
.plots figcaption span{display:block;color:var(--quiet);font-weight:400;font-size:.84rem}
.plot{display:block;width:100%;height:auto;margin-top:8px}
.plot text{fill:var(--quiet);font-size:13px}
.grid{stroke:var(--edge)}
.axis{stroke:var(--quiet);opacity:.6}
.line{fill:none;stroke-width:2.25;stroke-linejoin:round}
.s1{stroke:var(--s1)}.s2{stroke:var(--s2);stroke-dasharray:7 4}.s3{stroke:var(--s3);stroke-dasharray:2 4}
.dot{stroke:none}.dot.s1{fill:var(--s1)}.dot.s2{fill:var(--s2)}.dot.s3{fill:var(--s3)}
.area{stroke-width:1.75;fill-opacity:.16;stroke-linejoin:round}
.area.s1{fill:var(--s1)}.area.s2{fill:var(--s2)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 20px;margin:8px 0 0;padding:0;font-size:.84rem;
color:var(--quiet)}
.key{width:28px;height:10px;margin-right:8px;vertical-align:middle}
.query{background:var(--card);border:1px solid var(--edge);border-radius:12px;padding:16px 18px 18px;margin:14px 0;
break-inside:avoid}
ul{margin:0 0 10px;padding-left:1.2em}.facts-of{display:grid;grid-template-columns:1fr 1fr;gap:0 40px}
.facts-of h2{margin-top:30px}
.query>header{display:flex;flex-wrap:wrap;justify-content:space-between;gap:2px 24px;max-width:none;margin:0 0 12px;
padding:0}
.query>header p{margin:0;color:var(--quiet);font-size:.9rem}
.row{display:grid;grid-template-columns:158px minmax(0,226px) minmax(0,1fr);gap:0 20px}
.row.two{grid-template-columns:158px minmax(0,1fr) minmax(0,1fr)}
.part+.part{border-left:1px solid var(--edge);padding-left:20px}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(106px,1fr));gap:14px 10px}
.expected .tiles{grid-template-columns:repeat(auto-fill,minmax(92px,1fr))}
.two .tiles{grid-template-columns:repeat(auto-fill,minmax(112px,1fr))}
.two .asked .tiles,.asked .tiles{grid-template-columns:1fr}
.tile{margin:0;min-width:0;break-inside:avoid}
.frame{aspect-ratio:1;border-radius:9px;border:1px solid var(--edge);background:var(--hollow);overflow:hidden;
display:flex;align-items:center;justify-content:center}
.tile.yes .frame{border:3px solid var(--good)}
.tile.no .frame{border:3px dashed var(--bad)}
.frame img{width:100%;height:100%;object-fit:contain;display:block}
.missing{background:var(--hollow);color:var(--quiet);font-size:.75rem;line-height:1.35;margin:0;width:100%;height:100%;
display:flex;align-items:center;text-align:center;padding:8px;overflow:hidden;overflow-wrap:anywhere}
.tile figcaption{font-size:.75rem;line-height:1.35;margin-top:5px}
.facts{display:flex;align-items:center;gap:6px}
.rank{font-weight:640}
.score{margin-left:auto}
.mark{width:14px;height:14px;flex:none}
.mark,symbol{overflow:visible}
.yes .mark{color:var(--good)}.no .mark{color:var(--bad)}
#yes circle,#no circle{fill:currentColor}
#yes path,#no path{fill:none;stroke:var(--card);stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}
.name,.note{color:var(--quiet)}
.folder{display:block;overflow:hidden;white-space:nowrap;text-overflow:ellipsis}
.file{overflow-wrap:anywhere;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;overflow:hidden}
.file,.note{line-height:1.3}
.note{display:block}
.better{color:var(--good);font-weight:600}.worse{color:var(--bad);font-weight:600}
footer{color:var(--quiet);font-size:.85rem;margin-top:56px;padding-bottom:40px}
@media screen and (max-width:820px){
header,main,footer{padding-left:16px;padding-right:16px}header{padding-top:28px}
h1{font-size:1.5rem}h2{margin-top:40px}
.row,.row.two{grid-template-columns:minmax(0,1fr);gap:18px}
.part+.part{border-left:0;padding-left:0;border-top:1px solid var(--edge);padding-top:14px}
.asked .tiles{max-width:200px}.facts-of{grid-template-columns:1fr}
.tiles,.expected .tiles,.two .tiles{grid-template-columns:repeat(auto-fill,minmax(88px,1fr))}
.query{padding:14px}
th,td{padding:8px 10px}.cards{grid-template-columns:repeat(auto-fill,minmax(154px,1fr));gap:10px}
.card{padding:12px 13px}.card .value{font-size:1.7rem}.card .interval{width:120px}
dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}
}
@media print{
body{background:#fff;font-size:10.5pt}header,main,footer{max-width:none;padding:0}
h2,.lead{break-after:avoid}.query,.plots>figure,.card,tr{break-inside:avoid}
.cards{grid-template-columns:repeat(4,1fr);gap:8px}.plots{grid-template-columns:repeat(3,1fr);gap:8px}
.row{grid-template-columns:96px 146px 1fr}.row.two{grid-template-columns:96px 1fr 1fr}.part+.part{padding-left:10px}
.row,.row.two{gap:0 10px}.tiles,.expected .tiles,.two .tiles{grid-template-columns:repeat(auto-fill,minmax(58px,1fr));
gap:6px}
.expected .tiles{grid-template-columns:1fr 1fr}
.asked .tiles,.two .asked .tiles{grid-template-columns:1fr}
.tile figcaption{font-size:7pt}
.query{padding:8px 10px}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
"""

STYLE = (
    f":root{{color-scheme:light dark;{_variables(LIGHT)}}}"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}{_RULES}"
)
