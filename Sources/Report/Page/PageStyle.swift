// SPDX-License-Identifier: Apache-2.0

/// How pages look: light and dark by the reader's wish, on paper, and on narrow screens.
enum PageStyle {
  static let text: StaticString = """
    :root{--bg:#fff;--fg:#1c2128;--dim:#59636e;--line:#d1d9e0;--card:#f6f8fa;--link:#0550ae;\
    --error:#b3261e;--warn:#8a5a00;--info:#0550ae;--ok:#1a7f37;--live:#2f6fbd;--alloc:#8250df;\
    --cached:#7a7f87;--pend:#c2410c;--rsv:#57606a;--hot:#cf222e;--own:#1f883d;--sel:#fff3bf}
    @media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9198a1;--line:#3d444d;\
    --card:#161b22;--link:#79b8ff;--error:#ff7b72;--warn:#e3b341;--info:#79b8ff;--ok:#56d364;\
    --live:#58a6ff;--alloc:#bc8cff;--cached:#8b949e;--pend:#ffa657;--rsv:#8b949e;--hot:#ff7b72;\
    --own:#56d364;--sel:#3b2e00}}
    *{box-sizing:border-box}
    html{color-scheme:light dark;scroll-padding-top:4rem}
    body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,-apple-system,\
    "Segoe UI","DejaVu Sans",sans-serif;overflow-wrap:break-word}
    header,main,footer{max-width:76rem;margin:0 auto;padding:0 1.25rem}
    header{padding-top:1.5rem}
    h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}
    h2{font-size:1.2rem;margin:2.5rem 0 .6rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}
    h3{font-size:1rem;margin:1.4rem 0 .4rem;overflow-wrap:anywhere}
    h2 .n,h3 .n{font-weight:400;color:var(--dim);font-size:.85em;margin-left:.5em}
    p{margin:.4rem 0}.dim{color:var(--dim)}.sub{color:var(--dim);margin:0 0 1rem}
    a{color:var(--link);text-underline-offset:.15em}
    a:focus-visible,summary:focus-visible,button:focus-visible,input:focus-visible,\
    .scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
    .skip{position:absolute;left:-100rem}.skip:focus{left:1rem;top:.5rem;background:var(--bg);\
    padding:.5rem;z-index:3}
    nav{position:sticky;top:0;z-index:2;background:var(--bg);border-bottom:1px solid var(--line)}
    nav ul{max-width:76rem;margin:0 auto;padding:.5rem 1.25rem;list-style:none;display:flex;\
    gap:.2rem 1.1rem;overflow-x:auto;white-space:nowrap}
    nav a{text-decoration:none}nav a:hover{text-decoration:underline}nav .n{color:var(--dim);\
    font-size:.85em}
    dl{display:grid;grid-template-columns:minmax(9rem,max-content) 1fr;gap:.2rem 1rem;margin:.5rem 0}
    dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere;unicode-bidi:isolate}
    code,.w{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.92em}
    td,code,.w,h1,h3{unicode-bidi:isolate}
    .cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:1rem 0}
    .card{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.65rem .85rem;\
    color:inherit;text-decoration:none;display:block}
    a.card:hover{border-color:var(--link)}
    .card b{display:block;font-size:1.35rem;line-height:1.3;font-weight:600}
    .card.error{border-left:.3rem solid var(--error)}.card.warning{border-left:.3rem solid var(--warn)}
    .card.ok{border-left:.3rem solid var(--ok)}.card.info{border-left:.3rem solid var(--info)}
    .scroll{overflow-x:auto;margin:.5rem 0}
    table{border-collapse:collapse;width:100%;font-size:.92em}
    caption{text-align:left;color:var(--dim);padding:.2rem 0}
    th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
    th{background:var(--card);font-weight:600;border-bottom-width:2px;vertical-align:bottom}
    th button{all:unset;cursor:pointer;font:inherit}
    th button:focus-visible{outline:2px solid var(--link)}
    th button::after{content:"\\a0\\2195";color:var(--dim)}
    th[aria-sort=ascending] button::after{content:"\\a0\\2191"}
    th[aria-sort=descending] button::after{content:"\\a0\\2193"}
    td.num,th.num{text-align:right;font-variant-numeric:tabular-nums}
    td.w{white-space:nowrap}td.wrap{white-space:normal;min-width:12rem}td .long{display:block;min-width:14rem;max-width:34rem;white-space:normal}
    tr:target,article:target,dt:target,details:target>summary{background:var(--sel)}
    details.table{border:1px solid var(--line);border-radius:.35rem;padding:.2rem .6rem;margin:.3rem 0}
    summary .n{color:var(--dim);font-size:.88em}
    .tools{display:flex;gap:.75rem;align-items:center;margin:.4rem 0}
    .tools label{display:flex;gap:.5rem;align-items:center;white-space:nowrap}
    .tools input{font:inherit;padding:.3rem .55rem;border:1px solid var(--line);border-radius:.35rem;\
    background:var(--bg);color:inherit;width:min(20rem,100%)}
    details{margin:.2rem 0}summary{cursor:pointer;color:var(--link)}
    details dl{margin-left:.8rem}details details{margin-left:.8rem}
    article{border:1px solid var(--line);border-radius:.5rem;padding:.7rem 1rem;margin:.75rem 0}
    article.error{border-left:.3rem solid var(--error)}article.warning{border-left:.3rem solid var(--warn)}
    article.info{border-left:.3rem solid var(--info)}article h3{margin:0 0 .3rem}
    .tag{display:inline-block;border:1px solid currentColor;border-radius:.3rem;padding:0 .4rem;\
    font-size:.82em;font-weight:600;white-space:nowrap}
    .tag.error,.tag.unsafe,.tag.no{color:var(--error)}.tag.warning,.tag.risky,.tag.doubtful\
    {color:var(--warn)}.tag.info{color:var(--info)}.tag.safe,.tag.probably{color:var(--ok)}
    .legend{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin:.4rem 0;padding:0;list-style:none;\
    font-size:.88em}
    .legend svg{width:1.6rem;height:.9rem;vertical-align:-.1rem;margin-right:.35rem}
    svg.picture{display:block;width:100%;min-width:44rem;height:auto}
    svg text{fill:var(--fg);font:12px system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
    svg .s{font-size:10.5px}svg .dimt{fill:var(--dim)}svg .b{font-weight:600}
    svg .m{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:10.5px}
    svg .box{fill:var(--bg);stroke:var(--line)}svg .box2{fill:var(--card);stroke:var(--line)}
    svg a:hover .hit,svg a:focus-visible .hit{stroke:var(--link);stroke-width:2}
    svg .hit{fill:transparent}svg .axis{stroke:var(--line)}svg .gap{stroke:var(--dim);stroke-dasharray:2 3}
    svg .live{fill:var(--live)}svg .ro{fill:var(--live);fill-opacity:.55}svg .alloc{fill:var(--alloc);\
    fill-opacity:.35;stroke:var(--alloc)}
    svg .unmapped{fill:none;stroke:var(--alloc);stroke-width:1.2}
    svg .cached{fill:url(#p-dots);stroke:var(--cached);stroke-width:.6}
    svg .pending{fill:url(#p-slash);stroke:var(--pend);stroke-width:.6}
    svg .flushed{fill:url(#p-back);stroke:var(--cached);stroke-width:.6}
    svg .reserved{fill:url(#p-cross);stroke:var(--rsv);stroke-width:.6}
    svg .stray{fill:url(#p-bars);stroke:var(--hot);stroke-width:.8}
    svg .flight{fill:none;stroke:var(--hot);stroke-width:2.5}svg .arrow{fill:var(--hot)}
    svg .d1{stroke:var(--cached)}svg .d2{stroke:var(--pend)}svg .d3{stroke:var(--rsv)}\
    svg .d4{stroke:var(--hot)}svg .dot{fill:var(--cached)}
    svg .memory{fill:var(--card);stroke:var(--line)}svg .firmware{fill:url(#p-cross);stroke:var(--rsv)}
    svg .acpi{fill:url(#p-dots);stroke:var(--cached)}svg .kernel-text{fill:var(--own)}
    svg .kernel-data{fill:var(--own);fill-opacity:.45}svg .crash-kernel{fill:url(#p-slash);\
    stroke:var(--pend);stroke-width:1.5}
    svg .table{fill:var(--alloc)}svg .added{fill:var(--own)}svg .removed{fill:url(#p-bars);\
    stroke:var(--hot)}svg .moved{fill:url(#p-slash);stroke:var(--pend)}svg .access{fill:var(--alloc)}
    svg .err{fill:var(--error)}svg .wrn{fill:var(--warn)}svg .inf{fill:var(--info)}
    td.fate{text-align:center;white-space:nowrap}
    .fate .f{display:inline-block;border-radius:.3rem;padding:0 .4rem;border:1px solid currentColor;\
    font-size:.85em}
    .f.translated,.f.pass-through{color:var(--live)}.f.remapped{color:var(--alloc)}\
    .f.blocked{color:var(--pend);border-style:dashed}.f.physical{color:#fff;background:var(--error);\
    border-color:var(--error)}.f.silent{color:var(--cached);border-style:dotted}
    ul.plain{margin:.4rem 0;padding-left:1.2rem}
    footer{color:var(--dim);font-size:.88em;margin:3rem auto 2rem}
    .js{display:none}.has-js .js{display:flex}
    @media(max-width:40rem){header,main,footer{padding:0 .8rem}dl{grid-template-columns:1fr;gap:0}\
    dt{margin-top:.35rem}h1{font-size:1.25rem}nav ul{padding:.45rem .8rem}}
    @media(prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}
    @media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--card:#fff;--link:#000;--error:#900;\
    --warn:#640;--info:#036;--live:#2f6fbd;--alloc:#8250df;--cached:#777;--pend:#c2410c;--rsv:#555;\
    --hot:#c00;--own:#1f883d;--sel:#fff}html{color-scheme:light}nav,.tools,.skip{display:none!important}th button::after{content:none!important}\
    body{font-size:10pt}header,main,footer{max-width:none;padding:0}.scroll{overflow:visible}\
    svg.picture{min-width:0}article,tr,svg,.card{break-inside:avoid}h2,h3{break-after:avoid}\
    table{font-size:8.5pt}th,td{padding:.15rem .3rem}td.w{white-space:normal;overflow-wrap:anywhere}\
    a{text-decoration:none}svg,.tag,.f,.card{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
    """
}
