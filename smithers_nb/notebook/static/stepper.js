// node_modules/preact/dist/preact.mjs
var e, t, n, r, i, a, o, s, c, l, u = Symbol.for("pv"), d = {}, f = [], p = /^m(i|n|o|s|text|space)$/, m = Array.isArray, h = f.slice, g = Object.assign;
function _(e) {
	e && e.parentNode && e.remove();
}
function v(n, r, i, a, o) {
	var s = {
		type: n,
		props: r,
		key: i,
		ref: a,
		__k: null,
		__: null,
		__b: 0,
		__e: null,
		__c: null,
		constructor: u,
		__v: o || ++t,
		__i: -1,
		__u: 0
	};
	return !o && e.vnode && e.vnode(s), s;
}
function y(e) {
	return e.children;
}
function b(e, t) {
	this.props = e, this.context = t, this.__g = 0;
}
function x(e, t) {
	if (t == null) return e.__ && x(e.__, e.__i + 1);
	for (var n; t < e.__k.length; t++) if ((n = e.__k[t]) && n.__e) return n.__e;
	return typeof e.type != "function" || e.props.__P ? null : x(e);
}
function S(t) {
	var n, r = t.__v, i = r.__e, a = [], o = [], s = t.__P;
	s && ((n = g({ constructor: u }, r)).__v = r.__v + 1, e.vnode && e.vnode(n), j(s, n, r, t.__n, s.namespaceURI, 32 & r.__u ? [i] : null, a, i || x(r), 32 & r.__u, o), n.__v = r.__v, n.__.__k[n.__i] = n, M(a, n, o), r.__ = r.__e = null, n.__e != i && C(n));
}
function C(e) {
	if ((e = e.__) && e.__c && !e.props.__P) return e.__e = null, e.__k.some(function(t) {
		return t && (e.__e = t.__e);
	}), C(e);
}
function w(t) {
	(8 & t.__g || (t.__g |= 8, n.push(t), i++)) && r == e.debounceRendering || ((r = e.debounceRendering) || queueMicrotask)(T);
}
function T() {
	try {
		for (var e, t = 1; n.length;) n.length > t && n.sort(a), e = n.shift(), t = n.length, 8 & e.__g && S(e);
	} finally {
		(i = n.length) && (r || queueMicrotask)(T);
	}
}
function ee(e, t, n, r, i, a, o, s, c, l, u) {
	var p, m, h, g, _, v, y = r.__k || f, b = t.length;
	for (c = E(n, t, y, c, b), p = 0; p < b; p++) (h = n.__k[p]) != null && (m = ~h.__i && y[h.__i] || d, h.__i = p, v = j(e, h, m, i, a, o, s, c, l, u), g = h.__e, (m.ref != h.ref || 8 & m.__u) && (m.ref && N(m.ref, null, h, m), h.ref && u.push(h.ref, h.__c || g, h)), _ ||= g, 4 & h.__u ? (c = D(h, c, e, !m.__v), m.__e && (m.__e = null)) : typeof h.type == "function" && v !== void 0 ? c = v : g && (c = g.nextSibling), h.__u &= -21);
	return n.__e = _, c;
}
function E(e, t, n, r, i) {
	var a, o, s, c, l, d, f, p, h, g = n.length, _ = g, b = 0, S = 0, C = e.__k = Array(i);
	for (a = 0; a < i; a++) (o = t[a]) != null && typeof o != "boolean" && typeof o != "function" ? (typeof o != "object" || o.constructor === String ? o = C[a] = v(null, o) : m(o) ? o = C[a] = v(y, { children: o }) : o.constructor === u && o.__b ? o = C[a] = v(o.type, o.props, o.key, o.ref, o.__v) : C[a] = o, c = a + b, o.__ = e, o.__b = e.__b + 1, s = null, ~(l = o.__i = O(o, n, c, _)) && (_--, (s = n[l]) && (s.__u |= 2)), s && s.__v ? (o.__u |= 16, l == c - 1 ? b-- : l == c + 1 ? b++ : l != c && (l > c ? b-- : b++, S = 1)) : (~l || (i > g ? b-- : i < g && b++), typeof o.type != "function" && (o.__u |= 4))) : C[a] = null;
	if (S) {
		for (d = [], f = [], a = 0; a < i; a++) if ((o = C[a]) && 16 & o.__u) {
			for (b = 0, p = d.length; b < p;) d[h = b + p >> 1] < o.__i ? b = h + 1 : p = h;
			d[b] = o.__i, f[a] = b + 1;
		}
		for (b = d.length; a--;) f[a] && (f[a] == b ? b-- : C[a].__u |= 4);
	}
	if (_) for (a = 0; a < g; a++) !(s = n[a]) || 2 & s.__u || (s.__e == r && (r = x(s)), ae(s, s));
	return r;
}
function D(e, t, n, r) {
	var i, a, o, s;
	if (typeof e.type == "function") {
		if (e.props.__P) return t;
		if (i = e.__k) for (a = 0; a < i.length; a++) i[a] && (i[a].__ = e, t = D(i[a], t, n, !1));
		return t;
	}
	for (t && !t.parentNode && (t = x(e)) && !t.parentNode && (t = null), o = e.__e, s = t; s && s.nodeType == 8;) s = s.nextSibling;
	for (o != s && (!r && n.moveBefore && o.parentNode ? n.moveBefore(o, t) : n.insertBefore(o, t || null)), t = o; (t &&= t.nextSibling) && t.nodeType == 8 && !t.data.startsWith("$s"););
	return t;
}
function O(e, t, n, r) {
	var i, a = e.key, o = e.type, s = t[n], c = s && !(2 & s.__u);
	if (s === null && a == null || c && a == s.key && o == s.type) return n;
	if (r > +!!c) {
		for (i = n - 1; i >= 0; i--) if ((s = t[i]) && !(2 & s.__u) && a == s.key && o == s.type) return i;
		for (i = n + 1; i < t.length; i++) if ((s = t[i]) && !(2 & s.__u) && a == s.key && o == s.type) return i;
	}
	return -1;
}
function k(e, t, n) {
	n ??= "", t[0] == "-" ? e.setProperty(t, n) : e[t] = n;
}
function A(e, t, n, r, i) {
	var a, o;
	if (t == "style") {
		if (typeof n == "string") e.style.cssText = n;
		else {
			if (typeof r == "string" && (e.style.cssText = r = ""), r) for (t in r) n && t in n || k(e.style, t);
			if (n) for (t in n) r && n[t] == r[t] || k(e.style, t, n[t]);
		}
	} else if (t[0] == "o" && t[1] == "n") typeof n != "function" && (n = null), typeof r != "function" && (r = null), (e.__e ||= {})[t] = n, n && r || (o = l[t] || (l[t] = te(t)), (e.__a ||= {})[t] = c, a = t != (t = t.replace(s, "$1")), (t = t.slice(2))[0] < "a" && (t = t.toLowerCase()), n ? e.addEventListener(t, o, a) : e.removeEventListener(t, o, a));
	else {
		if (i == "http://www.w3.org/2000/svg") t = t.replace(/xlink(H|:h)/, "h").replace(/sName$/, "s");
		else if (t != "width" && t != "height" && t != "href" && t != "list" && t != "form" && t != "tabIndex" && t != "download" && t != "rowSpan" && t != "colSpan" && t != "role" && t != "popover" && t in e) try {
			e[t] = n ?? "";
			return;
		} catch {}
		if (typeof n == "function") return;
		n == null || !1 === n && t[4] != "-" ? e.removeAttribute(t) : e.setAttribute(t, t == "popover" && n == 1 ? "" : n);
	}
}
function te(t) {
	return function(n) {
		var r = this.__e;
		if (r) {
			if (r = r[t], n[o] == null) n[o] = c++;
			else if (n[o] < this.__a[t]) return;
			return r(e.event ? e.event(n) : n);
		}
	};
}
function j(t, n, r, i, a, o, s, c, l, d) {
	var p, h, v, S, C, w, T, E, D, O, k, A, te, j, M, N, P, F, I = n.type;
	if (n.constructor !== u) return null;
	128 & r.__u && (l = 32 & r.__u, p = r.__c.__z) && (n.__u |= l, h = o = [], p.nodeType == 8 ? c = ne(p, o) : o.push(p), c = o[0] || c), (p = e.__b) && p(n);
	n: if (typeof I == "function") {
		v = s.length;
		try {
			if (E = n.props, D = (p = I.prototype) && p.render, O = (p = I.contextType) && i[p.__c], k = p ? O ? O.props.value : p.__ : i, (S = r.__c) ? (n.__c = S, 2 & S.__g && (S.__g |= 1)) : (D ? n.__c = S = new I(E, k) : (n.__c = S = new b(E, k), S.constructor = I, S.render = oe), O && O.sub(S), S.state || (S.state = {}), S.__n = i, S.__g |= 8, S.__h = [], S.__k = []), D && (S.__s || (S.__s = S.state), I.getDerivedStateFromProps && (S.__s == S.state && (S.__s = g({}, S.__s)), g(S.__s, I.getDerivedStateFromProps(E, S.__s)))), C = S.props, w = S.state, S.__v = n, r.__c) {
				if (E !== C && D && !I.getDerivedStateFromProps && S.componentWillReceiveProps && S.componentWillReceiveProps(E, k), n.__v == r.__v && !(8 & S.__g) || !(4 & S.__g) && S.shouldComponentUpdate && !1 === S.shouldComponentUpdate(E, S.__s, k)) {
					n.__v != r.__v && (S.props = E, S.state = S.__s, S.__g &= -9), n.__e = r.__e, n.__k = r.__k, n.__k.some(function(e) {
						e && (e.__ = n);
					}), f.push.apply(S.__h, S.__k), S.__k = [], S.__h.length && s.push(S), c = x(r);
					break n;
				}
				S.componentWillUpdate && S.componentWillUpdate(E, S.__s, k), D && S.componentDidUpdate && S.__h.push(function() {
					S.componentDidUpdate(C, w, T);
				});
			} else D && !I.getDerivedStateFromProps && S.componentWillMount && S.componentWillMount(), D && S.componentDidMount && S.__h.push(S.componentDidMount);
			S.context = k, S.props = E, S.__P = t, S.__g &= -5, A = e.__r, te = D ? 25 : 0;
			do
				S.__g &= -9, A && A(n), p = S.render(S.props, S.state = S.__s, S.context);
			while (8 & S.__g && ++te < 25);
			D && (f.push.apply(S.__h, S.__k), S.__k = []), S.state = S.__s, S.getChildContext && (i = g({}, i, S.getChildContext())), D && r.__c && S.getSnapshotBeforeUpdate && (T = S.getSnapshotBeforeUpdate(C, w)), j = p && p.type === y && p.key == null ? p.props.children : p, E.__P && (p = c, a = (t = E.__P).namespaceURI, l = o = null, r.props && r.props.__P != t && (r.__k.some(function(e) {
				e && ae(e, e);
			}), r.__k = null), c = r.__k ? x(r, 0) : null), c = ee(t, m(j) ? j : [j], n, r, i, a, o, s, c, l, d), E.__P && (n.__e = null, c = p), n.__u &= -161, h && h.some(_), S.__h.length && s.push(S), 1 & S.__g && (S.__g &= -4);
		} catch (t) {
			if (s.length = v, n.__v = null, l || o) {
				if (t && t.then) {
					if (n.__u |= 128 | l, o) {
						for (~(P = o.indexOf(c || void 0)) || (P = o.length); (F = o[P - 1]) && F.nodeType == 8;) P--;
						for (; P < o.length; P++) if (F = o[P]) {
							if (o[P] = null, M) {
								if (F == N) break;
							} else {
								if (F.nodeType != 8) break;
								F.data.startsWith("$s") && (N = ne(M = F));
							}
						}
					}
					if (!M) {
						for (; c && c.nodeType == 8 && c.nextSibling;) c = c.nextSibling;
						M = c;
					}
					(p = ne(M = n.__c.__z || (n.__c.__z = M))) ? (n.__e = M, c = p) : n.__e = c, c &&= c.nextSibling;
				} else o && o.some(_);
			} else n.__e = r.__e;
			n.__k ||= r.__k || [], t && t.then || re(n), e.__e(t, n, r);
		}
	} else c = n.__e = ie(r.__e, n, r, i, a, o, s, l, d, t);
	return (p = e.diffed) && p(n), c;
}
function ne(e, t) {
	if (e && e.nodeType == 8 && e.data.startsWith("$s")) for (var n = 1; e = e.nextSibling;) {
		if (e.nodeType == 8) {
			if (e.data.startsWith("$s")) n++;
			else if (e.data.startsWith("/$s") && !--n) return e;
		}
		t && t.push(e);
	}
}
function re(e) {
	e && (e.__c && (e.__c.__g |= 4), e.__k && e.__k.some(re));
}
function M(t, n, r) {
	for (var i = 0; i < r.length;) N(r[i++], r[i++], r[i++]);
	e.__c && e.__c(n, t), t.some(function(n) {
		try {
			t = n.__h, n.__h = [], t.some(function(e) {
				e.call(n);
			});
		} catch (t) {
			e.__e(t, n.__v);
		}
	});
}
function ie(t, n, r, i, a, o, s, c, l, u) {
	var f, g, v, y, b, S, C, w, T = r.props || d, E = n.props, D = n.type;
	if (D == "svg" ? a = "http://www.w3.org/2000/svg" : D == "math" ? a = "http://www.w3.org/1998/Math/MathML" : a ||= "http://www.w3.org/1999/xhtml", o) {
		for (f = 0; f < o.length; f++) if ((b = o[f]) && (D ? b.localName == D : b.nodeType == 3)) {
			t = b, o[f] = null;
			break;
		}
	}
	if (!t) {
		if (w = u.ownerDocument || document, !D) return w.createTextNode(E);
		t = w.createElementNS(a, D, E.is ? E : u), c &&= (e.__m && e.__m(n, o), !1), o = null;
	}
	if (D) {
		if (u = D == "template" && t.content || t, o = D == "textarea" && E.defaultValue != null ? null : o && h.call(u.childNodes), !c && o) for (T = {}, f = 0; f < t.attributes.length; f++) T[(b = t.attributes[f]).name] = b.value;
		for (f in T) b = T[f], f == "dangerouslySetInnerHTML" ? v = b : f == "children" || f in E || f == "value" && "defaultValue" in E || f == "checked" && "defaultChecked" in E || A(t, f, null, b, a);
		for (f in E) b = E[f], f == "children" ? y = b : f == "dangerouslySetInnerHTML" ? g = b : f == "value" ? S = b : f == "checked" ? C = b : c && typeof b != "function" || T[f] === b || A(t, f, b, T[f], a);
		g ? (c || v && (g.__html == v.__html || g.__html == t.innerHTML) || (t.innerHTML = g.__html), n.__k = []) : (v && (t.textContent = ""), (D == "foreignObject" || a == "http://www.w3.org/1998/Math/MathML" && p.test(D)) && (a = "http://www.w3.org/1999/xhtml"), ee(u, m(y) ? y : [y], n, r, i, a, o, s, o ? o[0] : r.__k && x(r, 0), c, l), o && o.some(_)), c && D != "textarea" || (f = "value", D == "progress" && S == null ? t.removeAttribute(f) : S == null || S === t[f] && (D != "progress" || S) || A(t, f, S, T[f], a), f = "checked", C != null && C != t[f] && A(t, f, C, T[f], a));
	} else T === E || c && t.data == E || (t.data = E);
	return t;
}
function N(t, n, r, i) {
	try {
		typeof t == "function" ? n ? n.__x = t(n) || 1 : (i &&= i.__c || i.__e) && (n = i.__x) && (i.__x = null, typeof n == "function" ? n() : t(null)) : t.current = n;
	} catch (t) {
		e.__e(t, r);
	}
}
function ae(t, n, r) {
	var i, a, o, s;
	if (e.unmount && e.unmount(t), !(i = t.ref) || i.current && i.current != t.__e || N(i, null, n, t), i = t.__c) {
		if (i.componentWillUnmount) try {
			i.componentWillUnmount();
		} catch (t) {
			e.__e(t, n);
		}
		i.__P = i.__n = null;
	}
	if (i = t.__k) for (s = 0; s < i.length; s++) i[s] && ae(i[s], n, typeof t.type != "function" || r && !t.props.__P);
	!r && (i = t.__c) && (i = i.__z) && (a = ne(i, o = [])) && (i == t.__e && o.some(_), _(a), _(i)), r || _(t.__e), t.__e = t.__c = t.__ = null;
}
function oe(e, t, n) {
	return this.constructor(e, n);
}
function P(t, n) {
	var r, i, a, o;
	e.__ && e.__(t, n), n.nodeType == 9 && (n = n.documentElement), i = (r = t && 32 & t.__u) ? null : n.__k, n.__k = v(y, { children: [t] }), a = [], o = [], j(n, n.__k, i || d, d, n.namespaceURI, i ? null : n.firstChild ? h.call(n.childNodes) : null, a, i ? i.__e : n.firstChild, r, o), M(a, n.__k, o), n.__k.props.children = null;
}
e = { __e: function(e, t, n, r) {
	for (var a, o, s; t = t.__;) if ((a = t.__c) && !(1 & a.__g)) {
		a.__g |= 4;
		try {
			if ((s = (o = a.constructor) && o.getDerivedStateFromError) && a.setState(o.getDerivedStateFromError(e)), a.componentDidCatch && (a.componentDidCatch(e, r || {}), s = 1), s && 8 & a.__g) return void (a.__g |= 2);
		} catch (t) {
			e = t;
		}
	}
	throw i = 0, e;
} }, t = 0, b.prototype.setState = function(e, t) {
	var n = this.__s;
	n && n != this.state || (n = this.__s = g({}, this.state)), typeof e == "function" && (e = e(g({}, n), this.props)), e && (g(n, e), this.__v && (t && this.__k.push(t), w(this)));
}, b.prototype.forceUpdate = function(e) {
	this.__v && (this.__g |= 4, e && this.__h.push(e), w(this));
}, b.prototype.render = y, n = [], i = 0, a = function(e, t) {
	return e.__v.__b - t.__v.__b;
}, o = Symbol(), s = /(PointerCapture)$|Capture$/i, c = 0, l = {};
// src/model/alerts.ts
function F(e, t, n) {
	return [...I(e, t), {
		source: t,
		text: n
	}];
}
function I(e, t) {
	return e.filter((e) => e.source !== t);
}
function se(e) {
	return e.filter((t, n) => e.findIndex(({ text: e }) => e === t.text) === n);
}
// src/model/protocol.ts
var ce = [
	"plan",
	"xml",
	"pending",
	"handlers",
	"state"
], le = [
	{
		name: "step_phase",
		label: "Step phase",
		key: "S",
		shortcut: "S",
		does: "Runs the next of the seven phases."
	},
	{
		name: "step_frame",
		label: "Step frame",
		key: "N",
		shortcut: "N",
		does: "Runs to the next rest: a whole frame, its writes still pending."
	},
	{
		name: "until_idle",
		label: "Until idle",
		key: "U",
		shortcut: "U",
		does: "Runs until nothing is left to do, and says why it stopped."
	},
	{
		name: "pause",
		label: "Pause",
		key: "Space",
		shortcut: "Space",
		does: "Stops after the current phase; Step goes on from there."
	},
	{
		name: "stop",
		label: "Stop",
		key: "⇧X",
		shortcut: "Shift+X",
		does: "Ends the execution and its running tasks."
	}
], ue = new Map(le.map(({ name: e, label: t }) => [e, t])), de = [
	"step_phase",
	"step_frame",
	"until_idle"
], fe = (e) => ue.get(e) ?? e;
function pe(e, t, n) {
	if (t === null) return "Waiting for the kernel.";
	if (t.protocol !== 1) return "The page and the kernel don't fit together.";
	let r = t.busy ?? de.find((e) => n[e] !== void 0) ?? null;
	return e === "pause" ? n.pause ? "Pause is under way." : me(t, r) : e === "stop" ? n.stop ? "Stop is under way." : ge(t) : r === null ? ge(t) : `${fe(r)} is under way.`;
}
function me(e, t) {
	return t !== null || e.status === "running" || e.counts.running > 0 ? null : "Nothing is running.";
}
var he = {
	finished: "The execution has finished.",
	failed: "The execution has failed.",
	stopped: "The execution was stopped.",
	terminated: "The execution was terminated."
};
function ge({ status: e, counts: t }) {
	return (e === "finished" || e === "failed") && t.pending > 0 ? null : he[e] ?? null;
}
function _e({ key: e, shiftKey: t, repeat: n }) {
	if (n) return null;
	if (e.toLowerCase() === "x") return t ? "stop" : null;
	if (t) return null;
	switch (e.toLowerCase()) {
		case "s": return "step_phase";
		case "n": return "step_frame";
		case "u": return "until_idle";
		case " ": return "pause";
		default: return null;
	}
}
// src/model/client.ts
var ve = 1500, ye = 5e3, L = {
	data: null,
	seq: -1,
	loading: !1,
	full: !1
}, be = class {
	channel;
	state = {
		summary: null,
		panes: {
			plan: L,
			xml: L,
			pending: L,
			handlers: L,
			state: L
		},
		underway: {},
		alerts: []
	};
	listeners = /* @__PURE__ */ new Set();
	requests = /* @__PURE__ */ new Map();
	inFlight = /* @__PURE__ */ new Map();
	watched = [];
	recovering = !1;
	silence;
	sent = 0;
	prefix = Math.random().toString(36).slice(2, 10);
	constructor(e) {
		this.channel = e;
	}
	start() {
		this.channel.on("change:summary", this.onSummary), this.channel.on("msg:custom", this.onMessage), this.onSummary(), this.hello();
	}
	stop() {
		this.channel.off("change:summary", this.onSummary), this.channel.off("msg:custom", this.onMessage), clearTimeout(this.silence), this.listeners.clear();
	}
	subscribe(e) {
		return this.listeners.add(e), () => this.listeners.delete(e);
	}
	watch(e) {
		for (let t of ce) !e.includes(t) && this.state.panes[t].full && this.setPane(t, { full: !1 });
		this.watched = e, this.refresh();
	}
	loadAll(e) {
		this.setPane(e, {
			full: !0,
			seq: -1
		}), this.refresh();
	}
	wholeXml() {
		return new Promise((e, t) => {
			this.request({
				pane: "xml",
				seq: this.seq(),
				full: !0,
				settle: ({ data: n, error: r }) => n === null ? t(Error(r ?? "There is no XML.")) : e(n)
			});
		});
	}
	command(e) {
		if (pe(e, this.state.summary, this.state.underway) !== null) return;
		let t = this.nextId();
		this.update({
			underway: {
				...this.state.underway,
				[e]: {
					id: t,
					acked: !1,
					late: !1
				}
			},
			alerts: I(this.state.alerts, "command")
		}), setTimeout(() => this.lateIfUnheard(e, t), ve), this.channel.send({
			type: "command",
			id: t,
			name: e
		}), this.listen();
	}
	dismiss(e) {
		this.update({ alerts: this.state.alerts.filter(({ text: t }) => t !== e.text) });
	}
	onSummary = () => {
		let e = this.channel.get("summary");
		if (e?.protocol === void 0) return;
		let t = this.state.summary;
		this.heard(), this.update({
			summary: e,
			alerts: this.alertsOf(t, e)
		}), t !== null && (e.seq > t.seq + 1 || e.seq < t.seq) ? this.resync(e, t) : this.recovering && this.forget(), this.refresh();
	};
	alertsOf(e, t) {
		let { alerts: n } = this.state;
		return t.protocol === (e?.protocol ?? 1) ? t.error === (e?.error ?? null) ? n : t.error === null ? I(n, "kernel") : F(n, "kernel", t.error) : F(n, "protocol", xe(t.protocol));
	}
	resync(e, t) {
		if (e.seq < t.seq) for (let e of ce) this.setPane(e, { seq: -1 });
		this.forget(), this.hello();
	}
	onMessage = (e) => {
		this.heard(), e.type === "ack" ? this.onAck(e) : e.type === "done" ? this.onDone(e) : e.type === "reply" && this.onReply(e), this.listen();
	};
	onAck({ id: e, accepted: t, why: n }) {
		let r = this.commandWith(e);
		r !== void 0 && (t ? this.setUnderway(r, {
			id: e,
			acked: !0,
			late: !1
		}) : this.end(r, `${fe(r)} was refused: ${n}`));
	}
	onDone({ id: e, ok: t, error: n }) {
		let r = this.commandWith(e);
		r !== void 0 && this.end(r, t ? n : n ?? `${fe(r)} failed.`);
	}
	onReply(e) {
		let t = this.requests.get(e.id);
		t !== void 0 && (this.requests.delete(e.id), t.settle ? t.settle(e) : this.take(e, t));
	}
	take(e, { pane: t, seq: n, full: r }) {
		this.inFlight.get(t) === e.id && this.inFlight.delete(t);
		let { alerts: i, panes: a } = this.state, o = this.inFlight.has(t), s = Math.max(e.seq, n);
		e.error === null ? s >= a[t].seq && r === this.full(t) ? (this.setPane(t, {
			data: e.data,
			seq: s,
			loading: o
		}), this.update({ alerts: I(i, t) })) : this.setPane(t, { loading: o }) : (this.setPane(t, {
			seq: s,
			loading: o
		}), this.update({ alerts: F(i, t, e.error) })), this.refresh();
	}
	hello() {
		this.channel.send({
			type: "hello",
			protocol: 1
		});
	}
	refresh() {
		if (this.state.summary?.protocol === 1) {
			for (let e of this.watched) {
				if (this.inFlight.has(e) || this.state.panes[e].seq >= this.seq()) continue;
				let t = this.request({
					pane: e,
					seq: this.seq(),
					full: this.full(e)
				});
				this.inFlight.set(e, t), this.setPane(e, { loading: !0 });
			}
			this.listen();
		}
	}
	request(e) {
		let t = this.nextId();
		return this.requests.set(t, e), this.channel.send({
			type: "get",
			id: t,
			pane: e.pane,
			full: e.full
		}), t;
	}
	heard() {
		clearTimeout(this.silence), this.silence = void 0;
	}
	listen() {
		(this.inFlight.size > 0 || Object.keys(this.state.underway).length > 0) && this.silence === void 0 && !this.recovering && (this.silence = setTimeout(() => {
			this.silence = void 0, this.recovering = !0, this.hello();
		}, ye));
	}
	forget() {
		this.recovering = !1, this.inFlight.clear();
		let e = Object.entries(this.state.underway).filter(([, e]) => !e.acked);
		this.update({ underway: Object.fromEntries(e) });
	}
	lateIfUnheard(e, t) {
		let n = this.state.underway[e];
		n?.id === t && !n.acked && this.setUnderway(e, {
			...n,
			late: !0
		});
	}
	commandWith(e) {
		return Object.entries(this.state.underway).find(([, t]) => t.id === e)?.[0];
	}
	end(e, t) {
		let { [e]: n, ...r } = this.state.underway, { alerts: i } = this.state;
		this.update({
			underway: r,
			alerts: t === null ? i : F(i, "command", t)
		});
	}
	seq = () => this.state.summary?.seq ?? 0;
	full = (e) => this.state.panes[e].full;
	nextId() {
		return this.sent += 1, `${this.prefix}-${this.sent}`;
	}
	setUnderway(e, t) {
		this.update({ underway: {
			...this.state.underway,
			[e]: t
		} });
	}
	setPane(e, t) {
		let n = {
			...this.state.panes,
			[e]: {
				...this.state.panes[e],
				...t
			}
		};
		this.update({ panes: n });
	}
	update(e) {
		this.state = {
			...this.state,
			...e
		};
		for (let e of this.listeners) e();
	}
};
function xe(e) {
	return `This page speaks protocol 1 of the stepper and the kernel speaks ${e}, so nothing is sent. Restart the kernel and reload the page: then both come from the same smithers_nb.`;
}
// node_modules/preact/hooks/dist/hooks.mjs
var R, z, Se, Ce, we = Object.is, B = 0, Te = [], Ee = [], V = e, De = V.__b, Oe = V.__r, ke = V.diffed, Ae = V.__c, je = V.unmount, Me = V.__;
function Ne(e, t) {
	V.__h && V.__h(z, e, B || t), B = 0;
	var n = z.__H || (z.__H = {
		__: [],
		__h: []
	});
	return e >= n.__.length && n.__.push({}), n.__[e];
}
function H(e) {
	return B = 1, Pe(We, e);
}
function Pe(e, t, n) {
	var r = Ne(R++, 2);
	if (r.t = e, !r.__c && (r.__ = [n ? n(t) : We(void 0, t), function(e) {
		var t = (r.__N || r.__)[0], n = r.t(t, e);
		we(t, n) || (r.__N = [n, r.__[1]], r.__c.setState({}));
	}], r.__c = z, !z.__f)) {
		z.__f = !0;
		var i = z.shouldComponentUpdate;
		z.shouldComponentUpdate = function(e, t, n) {
			var r = this.__H;
			if (!r) return !0;
			var a = !1, o = this.props != e;
			if (r.__.some(function(e) {
				e.__N && (a = !0, we(e.__[0], e.__N[0]) || (o = !0));
			}), i) {
				var s = i.call(this, e, t, n);
				return a ? s || o : s;
			}
			return !a || o;
		};
	}
	return r.__;
}
function U(e, t) {
	var n = Ne(R++, 3);
	!V.__s && Ue(n.__H, t) && (n.__P = !0, n.__ = e, n.u = t, z.__H.__h.push(n));
}
function W(e) {
	return B = 5, G(function() {
		return { current: e };
	}, []);
}
function G(e, t) {
	var n = Ne(R++, 7);
	return Ue(n.__H, t) && (n.__ = e(), n.__H = t), n.__;
}
function Fe(e, t) {
	return B = 8, G(function() {
		return e;
	}, t);
}
function Ie() {
	var e = Ne(R++, 11);
	if (!e.__) {
		for (var t = z.__v; !t.__m && t.__;) t = t.__;
		var n = t.__m || (t.__m = [0, 0]);
		e.__ = "P" + n[0] + "-" + n[1]++;
	}
	return e.__;
}
function Le() {
	var e;
	do {
		for (; e = Ee.shift();) try {
			Ve(e);
		} catch (t) {
			V.__e(t, { __: (e = e.__P) && e.__v });
		}
		for (; e = Te.shift();) {
			var t = e.__H;
			if (e.__P && t) try {
				t.__h.some(Ve), t.__h.some(He), t.__h = [];
			} catch (n) {
				t.__h = [], V.__e(n, e.__v);
			}
		}
	} while (Ee.length);
}
V.__b = function(e) {
	z = null, De && De(e);
}, V.__ = function(e, t) {
	e && t.__k && t.__k.__m && (e.__m = t.__k.__m), Me && Me(e, t);
}, V.__r = function(e) {
	Oe && Oe(e), R = 0;
	var t = (z = e.__c).__H;
	t && (Se == z ? z.__h = [] : (t.__h.some(Ve), t.__h.some(He), R = 0), t.__h = [], t.__.some(function(e) {
		e.__N && (e.__ = e.__N), e.u = e.__N = void 0;
	})), Se = z;
}, V.diffed = function(e) {
	ke && ke(e);
	var t = e.__c;
	t && t.__H && (t.__H.__h.length && Be(Te.push(t)), t.__H.__.some(function(e) {
		e.u && (e.__H = e.u);
	})), Se = z = null;
}, V.__c = function(e, t) {
	t.some(function(e) {
		try {
			e.__h.some(Ve), e.__h = e.__h.filter(function(e) {
				return !e.__ || He(e);
			});
		} catch (t) {
			e.__h = [function() {
				throw t;
			}];
		}
	}), Ae && Ae(e, t);
}, V.unmount = function(e) {
	je && je(e);
	var t, n, r = e.__c;
	r && r.__H && (r.__H.__.some(function(r) {
		try {
			if (r.__P && r.__c) {
				if (n === void 0) {
					for (n = e.__; n && (!n.__c || !n.__c.__P);) n = n.__;
					n &&= n.__c;
				}
				r.__P = n, Be(Ee.push(r));
			} else Ve(r);
		} catch (e) {
			t = e;
		}
	}), r.__H = void 0, t && V.__e(t, r.__v));
};
var Re = typeof requestAnimationFrame == "function";
function ze(e) {
	var t, n = function() {
		clearTimeout(r), Re && cancelAnimationFrame(t), setTimeout(e);
	}, r = setTimeout(n, 35);
	Re && (t = requestAnimationFrame(n));
}
function Be(e) {
	e != 1 && Ce == V.requestAnimationFrame || ((Ce = V.requestAnimationFrame) || ze)(Le);
}
function Ve(e) {
	var t = z, n = e.__c;
	typeof n == "function" && (e.__c = void 0, n()), z = t;
}
function He(e) {
	var t = z;
	e.__c = e.__(), z = t;
}
function Ue(e, t) {
	return !e || e.length != t.length || t.some(function(t, n) {
		return !we(t, e[n]);
	});
}
function We(e, t) {
	return typeof t == "function" ? t(e) : t;
}
// src/model/layout.ts
var Ge = ["Tree", "XML"], Ke = [
	"Pending writes",
	"Handlers",
	"State",
	"Problems"
], qe = [...Ge, ...Ke], Je = {
	plan: "Tree",
	detail: "Pending writes",
	last: "Tree"
}, Ye = (e) => e === "Tree" || e === "XML";
function Xe(e, t) {
	return Ye(t) ? {
		...e,
		plan: t,
		last: t
	} : {
		...e,
		detail: t,
		last: t
	};
}
var Ze = {
	Tree: "plan",
	XML: "xml",
	"Pending writes": "pending",
	Handlers: "handlers",
	State: "state",
	Problems: null
};
function Qe(e, t) {
	return (t ? [e.last] : [e.plan, e.detail]).map((e) => Ze[e]).filter((e) => e !== null);
}
// src/model/sentence.ts
var $e = "The kernel is busy: the click is queued. To interrupt the running cell press the kernel's Stop button (or I I in command mode).";
function et({ summary: e, underway: t }) {
	return e === null ? "Waiting for the kernel…" : e.protocol === 1 ? Object.values(t).some(({ late: e }) => e) ? $e : e.sentence : "The page and the kernel don't fit together.";
}
// src/model/text.ts
var tt = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, nt = "␡", rt = "␦";
function K(e) {
	return e.replace(tt, (e) => {
		let t = e.charCodeAt(0);
		return t < 32 ? String.fromCharCode(9216 + t) : t === 127 ? nt : rt;
	});
}
function it(e, t = 80) {
	let n = e.slice(0, t * 4).replace(/\s+/g, " ").trim();
	return n.length > t || e.length > t * 4 ? `${n.slice(0, t)}…` : n;
}
function q(e) {
	return String(Math.round(e)).replace(/\B(?=(\d{3})+$)/g, ",");
}
function at(e, t, n = `${t}s`) {
	return `${q(e)} ${e === 1 ? t : n}`;
}
function ot(e) {
	return e < 1e3 ? at(e, "character") : e < 1e6 ? `${(e / 1e3).toFixed(1)} KB` : `${(e / 1e6).toFixed(1)} MB`;
}
function st(e) {
	return e < 1e3 ? `${e.toFixed(1)} ms` : `${(e / 1e3).toFixed(2)} s`;
}
function ct(e) {
	return `$${e.toFixed(e !== 0 && e < 1 ? 4 : 2)}`;
}
// node_modules/preact/jsx-runtime/dist/jsxRuntime.mjs
var lt = Symbol.for("pv"), ut = 0;
Array.isArray;
function J(t, n, r, i, a, o) {
	n ||= {};
	var s, c, l = n;
	if ("ref" in l && typeof t != "function") for (c in l = {}, n) c == "ref" ? s = n[c] : l[c] = n[c];
	var u = {
		type: t,
		props: l,
		key: r,
		ref: s,
		__k: null,
		__: null,
		__b: 0,
		__e: null,
		__c: null,
		constructor: lt,
		__v: --ut,
		__i: -1,
		__u: 0
	};
	return (a || o) && (u.__source = a, u.__self = o), e.vnode && e.vnode(u), u;
}
// src/views/text.tsx
function Y({ of: e }) {
	return /* @__PURE__ */ J("bdi", { children: K(e) });
}
function dt({ children: e }) {
	return /* @__PURE__ */ J("span", {
		class: "ss-said",
		children: e
	});
}
function X({ look: e, quiet: t = !1 }) {
	return /* @__PURE__ */ J("span", {
		class: "ss-mark",
		"data-tone": e.tone,
		children: [/* @__PURE__ */ J("span", {
			"aria-hidden": "true",
			children: e.glyph
		}), t ? /* @__PURE__ */ J(dt, { children: e.word }) : /* @__PURE__ */ J(Y, { of: e.word })]
	});
}
// src/views/alerts.tsx
function ft({ alerts: e, dismiss: t }) {
	return se(e).map((e) => /* @__PURE__ */ J("div", {
		class: "ss-alert",
		role: "alert",
		children: [/* @__PURE__ */ J("span", {
			class: "ss-alert-text",
			children: [/* @__PURE__ */ J("span", {
				"aria-hidden": "true",
				children: "✗ "
			}), /* @__PURE__ */ J(Y, { of: e.text })]
		}), /* @__PURE__ */ J("button", {
			type: "button",
			class: "ss-button ss-icon-button",
			"aria-label": "Dismiss",
			title: "Dismiss",
			onClick: () => t(e),
			children: "✕"
		})]
	}, e.text));
}
// src/views/confirm.tsx
function pt({ running: e, stop: t, close: n }) {
	let r = W(null);
	U(() => r.current?.focus(), []);
	let i = e === 1 ? "1 task is" : `${at(e, "task")} are`;
	return /* @__PURE__ */ J("div", {
		class: "ss-popup",
		role: "alertdialog",
		"aria-label": "Stop the execution?",
		children: [/* @__PURE__ */ J("p", { children: [
			/* @__PURE__ */ J("strong", { children: "Stop the execution?" }),
			" ",
			i,
			" running and will be ended."
		] }), /* @__PURE__ */ J("div", {
			class: "ss-popup-buttons",
			children: [/* @__PURE__ */ J("button", {
				type: "button",
				class: "ss-button ss-danger",
				onClick: t,
				children: "Stop now"
			}), /* @__PURE__ */ J("button", {
				type: "button",
				class: "ss-button",
				ref: r,
				onClick: n,
				children: "Keep running"
			})]
		})]
	});
}
// src/model/looks.ts
var Z = (e, t, n) => ({
	glyph: e,
	word: t,
	tone: n
}), mt = {
	ready: Z("○", "ready", "idle"),
	running: Z("▶", "running", "live"),
	paused: Z("‖", "paused", "warn"),
	waiting: Z("◔", "waiting", "live"),
	finished: Z("✓", "finished", "good"),
	failed: Z("✗", "failed", "bad"),
	stopped: Z("■", "stopped", "warn"),
	stalled: Z("∞", "stalled", "warn"),
	terminated: Z("■", "terminated", "bad")
}, ht = /* @__PURE__ */ new Map([
	["pending", Z("○", "pending", "idle")],
	["running", Z("▶", "running", "live")],
	["active", Z("▶", "active", "live")],
	["blocked", Z("‖", "blocked", "warn")],
	["succeeded", Z("✓", "succeeded", "good")],
	["settled", Z("✓", "settled", "good")],
	["finished", Z("✓", "finished", "good")],
	["failed", Z("✗", "failed", "bad")],
	["cancelled", Z("⊘", "cancelled", "warn")],
	["abandoned", Z("⊘", "abandoned", "bad")]
]), gt = /* @__PURE__ */ new Map([
	["queued", Z("○", "queued", "live")],
	["applied", Z("✓", "applied", "good")],
	["noop", Z("≡", "no-op", "idle")],
	["overridden", Z("⊘", "overridden", "warn")],
	["rolled_back", Z("↶", "rolled back", "bad")],
	["edited", Z("✎", "edited by you", "warn")],
	["dropped", Z("✗", "dropped", "warn")]
]), _t = /* @__PURE__ */ new Map([
	["ok", Z("✓", "ok", "good")],
	["raised", Z("✗", "raised: writes rolled back", "bad")],
	["stale", Z("⊘", "stale: suppressed", "warn")]
]), vt = (e) => Z("•", e, "idle"), yt = (e) => mt[e] ?? vt(e), bt = (e) => ht.get(e) ?? vt(e), xt = (e) => gt.get(e) ?? vt(e), St = (e) => _t.get(e) ?? vt(e), Ct = {
	added: "+",
	removed: "−",
	changed: "~",
	moved: "↕"
}, wt = /* @__PURE__ */ new Map([
	["phase", "▣"],
	["step", "▢"],
	["claude", "✦"],
	["agent", "✦"],
	["smithers", "✦"],
	["task", "◆"],
	["approval", "◆"],
	["if", "◇"],
	["while", "↻"],
	["ralph", "↻"],
	["each", "≡"],
	["effect", "ϟ"],
	["text", "¶"],
	["stop", "■"],
	["end", "■"]
]), Tt = (e) => wt.get(e) ?? "•", Et = {
	done: "✓",
	current: "▶",
	todo: "○"
}, Dt = {
	done: "done",
	current: "current",
	todo: "to come"
};
function Ot(e) {
	let t = e.ms !== null && e.ms > 50, n = e.ms === null ? "" : st(e.ms), r = [
		Dt[e.state],
		n,
		t ? "slow: over 50 ms" : ""
	];
	return {
		glyph: Et[e.state],
		ms: n,
		slow: t,
		title: `${e.name}: ${r.filter(Boolean).join(", ")}`
	};
}
// src/views/header.tsx
function kt({ summary: e }) {
	let { status: t, reason: n, frame: r, tokens: i, cost_usd: a, counts: o } = e;
	return /* @__PURE__ */ J("header", {
		class: "ss-header",
		children: [
			/* @__PURE__ */ J("strong", {
				class: "ss-name",
				children: /* @__PURE__ */ J(Y, { of: e.name })
			}),
			/* @__PURE__ */ J("span", {
				class: "ss-status",
				title: n || void 0,
				children: [/* @__PURE__ */ J(X, { look: yt(t) }), n !== "" && /* @__PURE__ */ J("span", {
					class: "ss-reason",
					children: /* @__PURE__ */ J(Y, { of: n })
				})]
			}),
			/* @__PURE__ */ J("span", {
				class: "ss-facts",
				children: [
					/* @__PURE__ */ J("span", { children: ["frame ", q(r)] }),
					o.running > 0 && /* @__PURE__ */ J("span", { children: [at(o.running, "task"), " running"] }),
					/* @__PURE__ */ J("span", { children: at(i, "token") }),
					a !== null && /* @__PURE__ */ J("span", { children: ct(a) })
				]
			})
		]
	});
}
// src/views/hooks.ts
function At(e) {
	let [t, n] = H(e.state);
	return U(() => (n(e.state), e.subscribe(() => n(e.state))), [e]), t;
}
function jt(e) {
	let [t, n] = H(!1);
	return U(() => {
		let t = new ResizeObserver(([e]) => {
			let t = e?.contentRect.width ?? 0;
			t > 0 && n(t < 600);
		});
		return e.current && t.observe(e.current), () => t.disconnect();
	}, [e]), t;
}
// src/views/keys.ts
var Mt = "input:not([type='checkbox']), textarea, select", Nt = "button, input, summary";
function Pt(e) {
	e.key === "Tab" || e.ctrlKey || e.metaKey || e.altKey || e.stopPropagation();
}
function Ft(e) {
	if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey) return null;
	let t = e.target;
	if (t.closest(Mt)) return null;
	let n = _e(e);
	return n === "pause" && t.closest(Nt) ? null : n;
}
// src/views/grid.tsx
var It = {
	ArrowUp: {
		row: -1,
		cell: 0
	},
	ArrowDown: {
		row: 1,
		cell: 0
	},
	ArrowLeft: {
		row: 0,
		cell: -1
	},
	ArrowRight: {
		row: 0,
		cell: 1
	},
	Home: {
		row: 0,
		cell: -Infinity
	},
	End: {
		row: 0,
		cell: Infinity
	}
}, Lt = "td, th";
function Rt(e, t, n) {
	let r = [...e.rows], i = r.findIndex((e) => e.contains(t)), a = r[Math.min(Math.max(i + n.row, 0), r.length - 1)]?.cells;
	if (a !== void 0) return a[Math.min(Math.max(t.cellIndex + n.cell, 0), a.length - 1)];
}
function zt(e) {
	let { name: t, columns: n, rows: r, keyOf: i, empty: a, toneOf: o, below: s } = e, [c, l] = H({
		row: 0,
		cell: 0
	}), u = (e, t) => Math.min(c.row, r.length) === e && c.cell === t ? 0 : -1;
	return /* @__PURE__ */ J(y, { children: [/* @__PURE__ */ J("table", {
		class: "ss-grid",
		role: "grid",
		"aria-label": t,
		onKeyDown: (e) => {
			let t = It[e.key], n = e.target;
			t !== void 0 && n.matches(Lt) && (e.preventDefault(), Rt(e.currentTarget, n, t)?.focus());
		},
		children: [/* @__PURE__ */ J("thead", { children: /* @__PURE__ */ J("tr", { children: n.map((e, t) => /* @__PURE__ */ J("th", {
			scope: "col",
			"data-align": e.align,
			"data-wide": e.wide,
			tabIndex: u(0, t),
			onFocus: () => l({
				row: 0,
				cell: t
			}),
			children: e.name
		}, e.name)) }) }), r.map((e, t) => /* @__PURE__ */ J("tbody", {
			"data-tone": o?.(e),
			children: [/* @__PURE__ */ J("tr", { children: n.map((n, r) => /* @__PURE__ */ J("td", {
				role: "gridcell",
				"data-align": n.align,
				tabIndex: u(t + 1, r),
				onFocus: () => l({
					row: t + 1,
					cell: r
				}),
				children: n.cell(e)
			}, n.name)) }), s?.(e) && /* @__PURE__ */ J("tr", {
				class: "ss-below",
				children: /* @__PURE__ */ J("td", {
					role: "gridcell",
					colSpan: n.length,
					tabIndex: -1,
					children: s(e)
				})
			})]
		}, i(e)))]
	}), r.length === 0 && /* @__PURE__ */ J("p", {
		class: "ss-empty",
		children: a
	})] });
}
// src/views/handlers.tsx
function Bt({ handlers: e }) {
	return /* @__PURE__ */ J(zt, {
		name: "Handlers",
		columns: Vt,
		rows: e.calls,
		keyOf: (e) => e.id,
		empty: "No handler has fired yet.",
		below: Ht
	});
}
var Vt = [
	{
		name: "Frame",
		align: "end",
		cell: ({ frame: e }) => e
	},
	{
		name: "Node",
		cell: ({ node_id: e }) => /* @__PURE__ */ J("code", { children: /* @__PURE__ */ J(Y, { of: e }) })
	},
	{
		name: "Event",
		cell: ({ event: e }) => /* @__PURE__ */ J("code", { children: /* @__PURE__ */ J(Y, { of: e }) })
	},
	{
		name: "Outcome",
		wide: !0,
		cell: ({ status: e }) => /* @__PURE__ */ J(X, { look: St(e) })
	},
	{
		name: "Writes",
		align: "end",
		cell: ({ writes: e }) => e
	},
	{
		name: "Time",
		align: "end",
		cell: ({ ms: e }) => st(e)
	},
	{
		name: "Source",
		cell: ({ source: e }) => e !== null && /* @__PURE__ */ J("code", { children: /* @__PURE__ */ J(Y, { of: e }) })
	}
];
function Ht({ error: e }) {
	return e === null ? null : /* @__PURE__ */ J("details", { children: [/* @__PURE__ */ J("summary", { children: /* @__PURE__ */ J(Y, { of: e.trimEnd().split("\n").at(-1) ?? "" }) }), /* @__PURE__ */ J("pre", { children: K(e) })] });
}
// src/views/roving.ts
var Ut = {
	ArrowLeft: (e, t) => (e + t - 1) % t,
	ArrowRight: (e, t) => (e + 1) % t,
	Home: () => 0,
	End: (e, t) => t - 1
};
function Wt(e) {
	let t = Ut[e.key], n = [...e.currentTarget.querySelectorAll("button")], r = n.indexOf(e.target);
	if (t === void 0 || r < 0) return null;
	e.preventDefault();
	let i = t(r, n.length);
	return n[i]?.focus(), i;
}
// src/views/tabs.tsx
var Gt = (e, t) => `${e}-tab-${t.replace(" ", "-")}`, Kt = (e, t) => `${e}-panel-${t.replace(" ", "-")}`;
function qt({ name: e, tabs: t, chosen: n, choose: r, counts: i, ids: a }) {
	return /* @__PURE__ */ J("div", {
		class: "ss-tabs",
		role: "tablist",
		"aria-label": e,
		onKeyDown: (e) => {
			let n = t[Wt(e) ?? -1];
			n !== void 0 && r(n);
		},
		children: t.map((e) => /* @__PURE__ */ J("button", {
			type: "button",
			role: "tab",
			class: "ss-tab",
			id: Gt(a, e),
			"aria-label": e,
			"aria-selected": e === n,
			"aria-controls": e === n ? Kt(a, e) : void 0,
			tabIndex: e === n ? 0 : -1,
			onClick: () => r(e),
			children: [e, /* @__PURE__ */ J(Jt, {
				tab: e,
				count: i[e]
			})]
		}, e))
	});
}
function Jt({ tab: e, count: t }) {
	return t ? /* @__PURE__ */ J("span", {
		class: "ss-badge",
		"data-bad": e === "Problems" || void 0,
		"data-count": q(t)
	}) : null;
}
// src/views/panel.tsx
function Yt({ ids: e, tab: t, busy: n = !1, seq: r, children: i }) {
	return /* @__PURE__ */ J("div", {
		class: "ss-panel",
		role: "tabpanel",
		id: Kt(e, t),
		"aria-labelledby": Gt(e, t),
		"aria-busy": n,
		"data-seq": r,
		children: i
	});
}
function Q({ ids: e, tab: t, pane: n, children: r }) {
	return /* @__PURE__ */ J(Yt, {
		ids: e,
		tab: t,
		busy: n.loading,
		seq: n.seq,
		children: n.data === null ? /* @__PURE__ */ J("p", {
			class: "ss-empty ss-waiting",
			children: "Loading…"
		}) : r(n.data)
	});
}
function Xt({ dry: e }) {
	return e ? /* @__PURE__ */ J("p", {
		class: "ss-note",
		children: "No frames yet. Press N to render the first. This is a dry render: nothing has been executed."
	}) : null;
}
// src/views/value.tsx
var Zt = 160;
function Qt({ value: e, loadAll: t }) {
	return /* @__PURE__ */ J("span", {
		class: "ss-value",
		children: [/* @__PURE__ */ J("code", {
			tabIndex: e.text.length > Zt ? 0 : void 0,
			children: /* @__PURE__ */ J(Y, { of: e.text })
		}), e.cut && /* @__PURE__ */ J("button", {
			type: "button",
			class: "ss-link",
			onClick: t,
			children: [
				"… load all (",
				ot(e.chars),
				")"
			]
		})]
	});
}
// src/views/pending.tsx
function $t({ pending: e, loadAll: t }) {
	return /* @__PURE__ */ J(zt, {
		name: "Pending writes",
		columns: en(t),
		rows: e.writes,
		keyOf: (e) => e.id,
		empty: "Nothing is pending."
	});
}
var en = (e) => [
	{
		name: "#",
		align: "end",
		cell: ({ order: e }) => e
	},
	{
		name: "Key",
		cell: ({ scope: e, key: t }) => /* @__PURE__ */ J("code", { children: [e !== "state" && /* @__PURE__ */ J("span", {
			class: "ss-dim",
			children: /* @__PURE__ */ J(Y, { of: `${e}.` })
		}), /* @__PURE__ */ J(Y, { of: t })] })
	},
	{
		name: "Op",
		cell: ({ op: e }) => e
	},
	{
		name: "Old → new",
		wide: !0,
		cell: (t) => /* @__PURE__ */ J(tn, {
			write: t,
			loadAll: e
		})
	},
	{
		name: "Origin",
		cell: ({ origin: e, trigger: t }) => /* @__PURE__ */ J("span", {
			title: t || void 0,
			children: /* @__PURE__ */ J(Y, { of: e })
		})
	},
	{
		name: "Node",
		cell: ({ node_id: e }) => e !== null && /* @__PURE__ */ J("code", { children: /* @__PURE__ */ J(Y, { of: e }) })
	},
	{
		name: "Status",
		cell: ({ status: e }) => /* @__PURE__ */ J(X, { look: xt(e) })
	}
];
function tn({ write: e, loadAll: t }) {
	return /* @__PURE__ */ J("span", {
		class: "ss-change",
		children: [e.old === null ? /* @__PURE__ */ J("span", {
			class: "ss-dim",
			children: "unset"
		}) : /* @__PURE__ */ J(Qt, {
			value: e.old,
			loadAll: t
		}), /* @__PURE__ */ J("span", {
			class: "ss-new",
			children: [/* @__PURE__ */ J("span", {
				class: "ss-arrow",
				"aria-hidden": "true",
				children: "→"
			}), /* @__PURE__ */ J(nn, {
				write: e,
				loadAll: t
			})]
		})]
	});
}
function nn({ write: e, loadAll: t }) {
	return e.new === null ? /* @__PURE__ */ J("span", {
		class: "ss-dim",
		children: e.op === "update" ? "computed at flush" : "deleted"
	}) : /* @__PURE__ */ J(Qt, {
		value: e.new,
		loadAll: t
	});
}
// src/views/problems.tsx
function rn({ problems: e, total: t }) {
	return /* @__PURE__ */ J(y, { children: [/* @__PURE__ */ J(zt, {
		name: "Problems",
		columns: an,
		rows: e.map((e, t) => ({
			...e,
			order: t
		})),
		keyOf: ({ order: e }) => e,
		empty: "No problems."
	}), t > e.length && /* @__PURE__ */ J("p", {
		class: "ss-empty",
		children: [
			"… ",
			q(t - e.length),
			" more problems."
		]
	})] });
}
var an = [
	{
		name: "Kind",
		cell: ({ kind: e }) => /* @__PURE__ */ J("span", {
			class: "ss-mark",
			"data-tone": "bad",
			children: [/* @__PURE__ */ J("span", {
				"aria-hidden": "true",
				children: "✗"
			}), /* @__PURE__ */ J(Y, { of: e })]
		})
	},
	{
		name: "Message",
		wide: !0,
		cell: ({ message: e }) => /* @__PURE__ */ J("span", {
			class: "ss-message",
			children: /* @__PURE__ */ J(Y, { of: e })
		})
	},
	{
		name: "Node",
		cell: ({ node_id: e }) => e !== null && /* @__PURE__ */ J("code", { children: /* @__PURE__ */ J(Y, { of: e }) })
	},
	{
		name: "Phase",
		cell: ({ phase: e }) => e !== null && /* @__PURE__ */ J(Y, { of: e })
	},
	{
		name: "Source",
		cell: ({ source: e }) => e !== null && /* @__PURE__ */ J("code", { children: /* @__PURE__ */ J(Y, { of: e }) })
	}
];
// src/views/state.tsx
function on({ state: e, loadAll: t }) {
	let [n, r] = H(""), [i, a] = H(!1), o = e.entries.filter(({ key: e, changed: t }) => e.toLowerCase().includes(n.toLowerCase()) && (t || !i)), s = e.total - e.entries.length;
	return /* @__PURE__ */ J(y, { children: [
		/* @__PURE__ */ J("div", {
			class: "ss-filter",
			children: [/* @__PURE__ */ J("input", {
				type: "search",
				"aria-label": "Filter keys",
				placeholder: "Filter keys",
				value: n,
				onInput: (e) => r(e.currentTarget.value)
			}), /* @__PURE__ */ J("label", { children: [/* @__PURE__ */ J("input", {
				type: "checkbox",
				checked: i,
				onChange: (e) => a(e.currentTarget.checked)
			}), "changed only"] })]
		}),
		/* @__PURE__ */ J(zt, {
			name: "State",
			columns: cn(t),
			rows: o,
			keyOf: ({ key: e }) => e,
			empty: e.entries.length === 0 ? "State is empty." : "No key passes the filter."
		}),
		s > 0 && /* @__PURE__ */ J("button", {
			type: "button",
			class: "ss-link ss-more",
			onClick: t,
			children: [
				"… ",
				q(s),
				" more keys: load all"
			]
		})
	] });
}
var sn = {
	glyph: "~",
	word: "changed",
	tone: "live"
}, cn = (e) => [
	{
		name: "Key",
		cell: ({ key: e }) => /* @__PURE__ */ J("code", { children: /* @__PURE__ */ J(Y, { of: e }) })
	},
	{
		name: "Value",
		wide: !0,
		cell: ({ value: t }) => /* @__PURE__ */ J(Qt, {
			value: t,
			loadAll: e
		})
	},
	{
		name: "Type",
		cell: ({ value: e }) => /* @__PURE__ */ J("span", {
			class: "ss-dim",
			children: /* @__PURE__ */ J(Y, { of: e.type })
		})
	},
	{
		name: "Since",
		align: "end",
		cell: ({ from_frame: e }) => `f${e}`
	},
	{
		name: "Writer",
		cell: ({ writer: e }) => e !== null && /* @__PURE__ */ J(Y, { of: e })
	},
	{
		name: "Changed",
		cell: ({ changed: e }) => e && /* @__PURE__ */ J(X, { look: sn })
	}
], ln = (e) => e.change === "removed" ? `${e.id} removed` : e.id;
function un(e, t) {
	let n = /* @__PURE__ */ new Map();
	for (let { parent: t } of e) n.set(t, (n.get(t) ?? 0) + 1);
	let r = /* @__PURE__ */ new Map(), i = [], a = Infinity;
	return e.forEach((o, s) => {
		let c = (r.get(o.parent) ?? 0) + 1;
		if (r.set(o.parent, c), o.depth > a) return;
		let l = ln(o), u = (e[s + 1]?.depth ?? 0) > o.depth, d = u && !t.has(l);
		a = u && !d ? o.depth : Infinity, i.push({
			key: l,
			node: o,
			expandable: u,
			expanded: d,
			position: c,
			siblings: n.get(o.parent) ?? 1
		});
	}), i;
}
function dn(e, t, n) {
	let r = Math.max(0, e.findIndex((e) => e.key === t)), i = e[r];
	if (i === void 0) return null;
	switch (n) {
		case "ArrowDown": return $(e[r + 1]);
		case "ArrowUp": return $(e[r - 1]);
		case "Home": return $(e[0]);
		case "End": return $(e.at(-1));
		case "ArrowRight": return i.expandable && !i.expanded ? fn(i) : $(pn(e, r));
		case "ArrowLeft": return i.expanded ? fn(i) : $(mn(e, r));
		case "Enter": return i.expandable ? fn(i) : $(i);
		default: return null;
	}
}
var $ = (e) => e && {
	kind: "select",
	key: e.key
} || null, fn = (e) => ({
	kind: "toggle",
	key: e.key
});
function pn(e, t) {
	let n = e[t + 1];
	return n && n.node.depth > (e[t]?.node.depth ?? 0) ? n : void 0;
}
function mn(e, t) {
	let n = e[t]?.node.depth ?? 0;
	return e.slice(0, t).findLast((e) => e.node.depth < n);
}
function hn(e, t) {
	let n = new Map(e.map((e) => [ln(e), e]));
	return t.map((e) => {
		let t = n.get(ln(e));
		return t && JSON.stringify(t) === JSON.stringify(e) ? t : e;
	});
}
function gn(e, t) {
	let n = new Set(e);
	return n.delete(t) || n.add(t), n;
}
function _n(e) {
	return [e.explicit_id ? `#${e.id}` : "", e.key === null ? "" : `"${e.key}"`].filter(Boolean).join(" ");
}
var vn = /* @__PURE__ */ new Set([
	"key",
	"id",
	"events"
]);
function yn(e) {
	return e.attrs.filter(([e]) => !vn.has(e));
}
// src/views/node_detail.tsx
function bn({ node: e }) {
	return /* @__PURE__ */ J("dl", {
		class: "ss-detail",
		"aria-label": "Selected node",
		children: [
			["path", e.path],
			["id", e.id],
			["source", e.source],
			...e.attrs.filter(([e]) => e !== "id"),
			["text", e.text]
		].map(([e, t], n) => t !== null && /* @__PURE__ */ J("div", { children: [/* @__PURE__ */ J("dt", { children: /* @__PURE__ */ J(Y, { of: e }) }), /* @__PURE__ */ J("dd", { children: /* @__PURE__ */ J(Y, { of: t }) })] }, n))
	});
}
// src/views/tree_row.tsx
function xn(e) {
	let { row: t, selected: n, inTabOrder: r, select: i, toggle: a } = e, { node: o, expandable: s, expanded: c, position: l, siblings: u } = t;
	return G(() => Sn(e), [
		o,
		s,
		c,
		l,
		u,
		n,
		r,
		i,
		a
	]);
}
function Sn({ row: e, selected: t, inTabOrder: n, select: r, toggle: i }) {
	let { node: a } = e;
	return /* @__PURE__ */ J("div", {
		class: "ss-row",
		role: "treeitem",
		"data-node-id": a.id,
		"data-change": a.change || void 0,
		"aria-level": a.depth + 1,
		"aria-posinset": e.position,
		"aria-setsize": e.siblings,
		"aria-expanded": e.expandable ? e.expanded : void 0,
		"aria-selected": t,
		tabIndex: n ? 0 : -1,
		onClick: () => r(e.key),
		children: [
			/* @__PURE__ */ J(Cn, { change: a.change }),
			/* @__PURE__ */ J(wn, { depth: a.depth }),
			/* @__PURE__ */ J("span", {
				class: "ss-twisty",
				"aria-hidden": "true",
				onClick: (t) => {
					e.expandable && (t.stopPropagation(), i(e.key));
				},
				children: e.expandable ? e.expanded ? "▾" : "▸" : ""
			}),
			/* @__PURE__ */ J(Tn, { node: a }),
			/* @__PURE__ */ J("span", {
				class: "ss-rest",
				children: /* @__PURE__ */ J(En, { node: a })
			}),
			a.status !== null && /* @__PURE__ */ J("span", {
				class: "ss-node-status",
				children: /* @__PURE__ */ J(X, { look: bt(a.status) })
			})
		]
	});
}
function Cn({ change: e }) {
	return /* @__PURE__ */ J("span", {
		class: "ss-change-mark",
		children: e !== "" && /* @__PURE__ */ J(y, { children: [/* @__PURE__ */ J("span", {
			"aria-hidden": "true",
			children: Ct[e]
		}), /* @__PURE__ */ J(dt, { children: e })] })
	});
}
function wn({ depth: e }) {
	return Array.from({ length: e }, (e, t) => /* @__PURE__ */ J("span", {
		class: "ss-indent",
		"aria-hidden": "true"
	}, t));
}
function Tn({ node: e }) {
	let t = _n(e);
	return /* @__PURE__ */ J(y, { children: [
		/* @__PURE__ */ J("span", {
			class: "ss-type-glyph",
			"aria-hidden": "true",
			children: Tt(e.type)
		}),
		/* @__PURE__ */ J("span", {
			class: "ss-type",
			children: /* @__PURE__ */ J(Y, { of: e.type })
		}),
		t !== "" && /* @__PURE__ */ J("span", {
			class: "ss-node-name",
			children: /* @__PURE__ */ J(Y, { of: t })
		})
	] });
}
function En({ node: e }) {
	return /* @__PURE__ */ J(y, { children: [
		e.changes.map((e) => /* @__PURE__ */ J(Dn, { change: e }, e.prop)),
		e.events.map((e) => /* @__PURE__ */ J("span", {
			class: "ss-event",
			children: /* @__PURE__ */ J(Y, { of: e })
		}, e)),
		e.text !== null && /* @__PURE__ */ J("span", {
			class: "ss-text",
			children: /* @__PURE__ */ J(Y, { of: it(e.text) })
		}),
		yn(e).map(([e, t]) => /* @__PURE__ */ J("span", {
			class: "ss-attr",
			children: /* @__PURE__ */ J(Y, { of: `${e}="${it(t, 40)}"` })
		}, e))
	] });
}
function Dn({ change: e }) {
	return /* @__PURE__ */ J("span", {
		class: "ss-diff",
		children: [
			/* @__PURE__ */ J(Y, { of: e.prop }),
			" ",
			/* @__PURE__ */ J("del", { children: [/* @__PURE__ */ J(dt, { children: "was " }), /* @__PURE__ */ J(Y, { of: it(e.old ?? "unset", 40) })] }),
			/* @__PURE__ */ J("span", {
				"aria-hidden": "true",
				children: " → "
			}),
			/* @__PURE__ */ J("ins", { children: [/* @__PURE__ */ J(dt, { children: "is " }), /* @__PURE__ */ J(Y, { of: it(e.new ?? "unset", 40) })] })
		]
	});
}
// src/views/tree.tsx
var On = {
	folded: /* @__PURE__ */ new Set(),
	selected: null
};
function kn({ plan: e, choice: t, setChoice: n, loadAll: r }) {
	let i = An(e.nodes), a = G(() => un(i, t.folded), [i, t.folded]), o = a.find((e) => e.key === t.selected), s = e.total - e.nodes.length;
	return /* @__PURE__ */ J("div", {
		class: "ss-plan",
		children: [/* @__PURE__ */ J("div", {
			class: "ss-scroll",
			children: [
				/* @__PURE__ */ J(Xt, { dry: e.dry }),
				/* @__PURE__ */ J(jn, {
					rows: a,
					choice: t,
					setChoice: n
				}),
				a.length === 0 && /* @__PURE__ */ J("p", {
					class: "ss-empty",
					children: "The plan is empty."
				}),
				s > 0 && /* @__PURE__ */ J("button", {
					type: "button",
					class: "ss-link ss-more",
					onClick: r,
					children: [
						"… ",
						q(s),
						" more nodes: load all"
					]
				})
			]
		}), o && /* @__PURE__ */ J(bn, { node: o.node })]
	});
}
function An(e) {
	let t = W([]);
	return G(() => (t.current = hn(t.current, e), t.current), [e]);
}
function jn({ rows: e, choice: t, setChoice: n }) {
	let r = W(null), [i, a] = H(0), o = e.some((e) => e.key === t.selected) ? t.selected : e[0]?.key;
	U(() => {
		i && r.current?.querySelector("[tabindex='0']")?.focus();
	}, [i]);
	let s = Fe((e) => n((t) => ({
		...t,
		selected: e
	})), [n]), c = Fe((e) => n((t) => ({
		selected: e,
		folded: gn(t.folded, e)
	})), [n]);
	return /* @__PURE__ */ J("div", {
		class: "ss-tree",
		role: "tree",
		"aria-label": "Plan",
		ref: r,
		onKeyDown: (t) => {
			if (t.shiftKey || t.ctrlKey || t.metaKey || t.altKey) return;
			let n = dn(e, o ?? null, t.key);
			n !== null && (t.preventDefault(), n.kind === "select" ? s(n.key) : c(n.key), a(i + 1));
		},
		children: e.map((e) => /* @__PURE__ */ J(xn, {
			row: e,
			selected: e.key === t.selected,
			inTabOrder: e.key === o,
			select: s,
			toggle: c
		}, e.key))
	});
}
// src/model/xml.ts
var Mn = [
	["text", /[^<&]+/y],
	["entity", /&#?\w+;/y],
	["comment", /<!--[\s\S]*?(?:-->|$)/y],
	["punct", /<[/?!]?(?=[\p{L}_])/uy],
	["text", /[\s\S]/y]
], Nn = [
	["text", /\s+/y],
	["value", /"[^"]*"?|'[^']*'?/y],
	["attr", /[^\s"'=<>/?]+/y],
	["punct", /[\s\S]/y]
];
function Pn(e) {
	let t = [], n = !1;
	for (let r = 0; r < e.length;) {
		let i = Fn(e, r, n ? Nn : Mn), a = t.at(-1)?.kind === "punct" && t.at(-1)?.text.startsWith("<");
		t.push(n && a && i.kind === "attr" ? {
			...i,
			kind: "tag"
		} : i), i.kind === "punct" && (n = i.text !== ">"), r += i.text.length;
	}
	return t;
}
function Fn(e, t, n) {
	for (let [r, i] of n) {
		i.lastIndex = t;
		let n = i.exec(e);
		if (n) return {
			kind: r,
			text: n[0]
		};
	}
	return {
		kind: "text",
		text: e.slice(t, t + 1)
	};
}
// src/views/xml.tsx
var In = 2e5;
function Ln({ xml: e, loadAll: t, whole: n }) {
	let r = W(null);
	return /* @__PURE__ */ J(y, { children: [
		/* @__PURE__ */ J("div", {
			class: "ss-filter",
			children: [/* @__PURE__ */ J(zn, {
				xml: e,
				loadAll: t,
				whole: n,
				shown: r
			}), e.cut && /* @__PURE__ */ J("button", {
				type: "button",
				class: "ss-link",
				onClick: t,
				children: [
					"… load all (",
					ot(e.chars),
					")"
				]
			})]
		}),
		/* @__PURE__ */ J(Xt, { dry: e.dry }),
		/* @__PURE__ */ J("pre", {
			class: "ss-xml",
			ref: r,
			tabIndex: 0,
			"aria-label": "Plan XML",
			children: /* @__PURE__ */ J(Rn, { text: e.text })
		})
	] });
}
function Rn({ text: e }) {
	let t = G(() => e.length > In ? null : Pn(e), [e]);
	return t === null ? /* @__PURE__ */ J(y, { children: K(e) }) : /* @__PURE__ */ J(y, { children: t.map((e, t) => e.kind === "text" ? K(e.text) : /* @__PURE__ */ J("span", {
		"data-xml": e.kind,
		children: K(e.text)
	}, t)) });
}
function zn({ xml: e, loadAll: t, whole: n, shown: r }) {
	let [i, a] = H(""), [o, s] = H(!1);
	return U(() => {
		o && !e.cut && r.current !== null && (s(!1), getSelection()?.selectAllChildren(r.current), a("Selected: press Ctrl+C or ⌘C."));
	}, [
		o,
		e,
		r
	]), /* @__PURE__ */ J(y, { children: [/* @__PURE__ */ J("button", {
		type: "button",
		class: "ss-button ss-small",
		onClick: async () => {
			try {
				let { text: t } = e.cut ? await n() : e;
				await navigator.clipboard.writeText(t), a("Copied.");
			} catch {
				e.cut && t(), s(!0);
			}
		},
		children: "Copy XML"
	}), /* @__PURE__ */ J("span", {
		class: "ss-dim",
		children: i
	})] });
}
// src/views/pane.tsx
function Bn({ tab: e, ...t }) {
	return J(e === "Tree" || e === "XML" ? Vn : Hn, {
		tab: e,
		...t
	});
}
function Vn({ tab: e, client: t, state: n, ids: r, tree: i, setTree: a }) {
	return e === "Tree" ? /* @__PURE__ */ J(Q, {
		ids: r,
		tab: e,
		pane: n.panes.plan,
		children: (e) => /* @__PURE__ */ J(kn, {
			plan: e,
			choice: i,
			setChoice: a,
			loadAll: () => t.loadAll("plan")
		})
	}) : /* @__PURE__ */ J(Q, {
		ids: r,
		tab: e,
		pane: n.panes.xml,
		children: (e) => /* @__PURE__ */ J(Ln, {
			xml: e,
			loadAll: () => t.loadAll("xml"),
			whole: () => t.wholeXml()
		})
	});
}
function Hn({ tab: e, client: t, state: n, summary: r, ids: i }) {
	switch (e) {
		case "Pending writes": return /* @__PURE__ */ J(Q, {
			ids: i,
			tab: e,
			pane: n.panes.pending,
			children: (e) => /* @__PURE__ */ J($t, {
				pending: e,
				loadAll: () => t.loadAll("pending")
			})
		});
		case "Handlers": return /* @__PURE__ */ J(Q, {
			ids: i,
			tab: e,
			pane: n.panes.handlers,
			children: (e) => /* @__PURE__ */ J(Bt, { handlers: e })
		});
		case "State": return /* @__PURE__ */ J(Q, {
			ids: i,
			tab: e,
			pane: n.panes.state,
			children: (e) => /* @__PURE__ */ J(on, {
				state: e,
				loadAll: () => t.loadAll("state")
			})
		});
		case "Problems": return /* @__PURE__ */ J(Yt, {
			ids: i,
			tab: e,
			seq: r.seq,
			children: /* @__PURE__ */ J(rn, {
				problems: r.problems,
				total: r.counts.problems
			})
		});
	}
}
// src/views/panes.tsx
function Un(e, t) {
	return t ? [{
		name: "Panes",
		tabs: qe,
		chosen: e.last
	}] : [{
		name: "Plan views",
		tabs: Ge,
		chosen: e.plan
	}, {
		name: "Details",
		tabs: Ke,
		chosen: e.detail
	}];
}
function Wn({ summary: e, choice: t, setChoice: n, single: r, ...i }) {
	let [a, o] = H(On), { pending: s, handlers: c, state: l, problems: u } = e.counts, d = {
		"Pending writes": s,
		Handlers: c,
		State: l,
		Problems: u
	};
	return /* @__PURE__ */ J("div", {
		class: "ss-panes",
		children: Un(t, r).map((r) => /* @__PURE__ */ J("div", {
			class: "ss-group",
			children: [/* @__PURE__ */ J(qt, {
				...r,
				ids: i.ids,
				counts: d,
				choose: (e) => n(Xe(t, e))
			}), /* @__PURE__ */ J(Bn, {
				...i,
				tab: r.chosen,
				summary: e,
				tree: a,
				setTree: o
			})]
		}, r.name))
	});
}
// src/views/phases.tsx
function Gn({ phases: e }) {
	return /* @__PURE__ */ J("ol", {
		class: "ss-phases",
		"aria-label": "Phases",
		children: e.map((e) => /* @__PURE__ */ J(Kn, { chip: e }, e.name))
	});
}
function Kn({ chip: e }) {
	let t = Ot(e);
	return /* @__PURE__ */ J("li", {
		class: "ss-phase",
		"aria-label": e.name,
		"aria-current": e.state === "current" ? "step" : void 0,
		"data-state": e.state,
		"data-slow": t.slow || void 0,
		title: t.title,
		children: [
			/* @__PURE__ */ J("span", {
				class: "ss-phase-glyph",
				"aria-hidden": "true",
				children: t.glyph
			}),
			/* @__PURE__ */ J("span", {
				class: "ss-phase-name",
				children: e.name
			}),
			/* @__PURE__ */ J("span", {
				class: "ss-phase-ms",
				children: t.ms
			})
		]
	});
}
// src/views/icon.tsx
var qn = {
	step_phase: "M3 3.5v9l7-4.5zM11.5 3.5h2v9h-2z",
	step_frame: "M1.5 3.5v9l5.5-4.5zM7 3.5v9l5.5-4.5zM12.5 3.5h2v9h-2z",
	until_idle: "M1.5 3.5v9L8 8zM8 3.5v9L14.5 8z",
	pause: "M4 3.5h3v9H4zM9 3.5h3v9H9z",
	stop: "M4 4h8v8H4z"
};
function Jn({ name: e }) {
	return /* @__PURE__ */ J("svg", {
		class: "ss-icon",
		viewBox: "0 0 16 16",
		"aria-hidden": "true",
		focusable: "false",
		children: /* @__PURE__ */ J("path", { d: qn[e] })
	});
}
// src/views/toolbar.tsx
function Yn({ state: e, run: t }) {
	let [n, r] = H(0);
	return /* @__PURE__ */ J("div", {
		class: "ss-toolbar",
		role: "toolbar",
		"aria-label": "Stepping",
		onKeyDown: (e) => r(Wt(e) ?? n),
		children: le.map((i, a) => /* @__PURE__ */ J(Xn, {
			control: i,
			off: pe(i.name, e.summary, e.underway),
			inTabOrder: a === n,
			press: () => {
				r(a), t(i.name);
			}
		}, i.name))
	});
}
function Xn({ control: e, off: t, inTabOrder: n, press: r }) {
	return /* @__PURE__ */ J("button", {
		type: "button",
		class: "ss-button",
		"data-control": e.name,
		"aria-label": e.label,
		"aria-keyshortcuts": e.shortcut,
		"aria-disabled": t !== null,
		title: t ?? e.does,
		tabIndex: n ? 0 : -1,
		onClick: t === null ? r : void 0,
		children: [
			/* @__PURE__ */ J(Jn, { name: e.name }),
			/* @__PURE__ */ J("span", {
				class: "ss-label",
				children: e.label
			}),
			/* @__PURE__ */ J("span", {
				class: "ss-key",
				"data-key": e.key
			})
		]
	});
}
// src/views/stepper.tsx
function Zn({ client: e }) {
	let t = At(e), { summary: n } = t, r = W(null), i = Ie(), a = jt(r), [o, s] = H(Je), [c, l] = H(!1);
	U(() => e.watch(Qe(o, a)), [
		e,
		o,
		a
	]);
	let u = (r) => {
		r === "stop" && (n?.counts.running ?? 0) > 0 ? pe(r, n, t.underway) === null && l(!0) : e.command(r);
	}, d = () => {
		l(!1), r.current?.querySelector("[data-control='stop']")?.focus();
	};
	return /* @__PURE__ */ J("section", {
		class: "smithers-stepper",
		ref: r,
		tabIndex: -1,
		"aria-label": `Stepper ${K(n?.name ?? "")}`.trim(),
		"data-cursor": "live",
		"data-seq": n?.seq,
		"data-frame": n?.frame,
		"data-phase": n?.phase ?? "",
		"data-status": n?.status,
		onKeyDown: (e) => {
			if (e.key === "Escape" && !c) return;
			Pt(e), e.key === "Escape" && d();
			let t = c ? null : Ft(e);
			t !== null && (e.preventDefault(), u(t));
		},
		children: [
			n && /* @__PURE__ */ J(kt, { summary: n }),
			/* @__PURE__ */ J("div", {
				class: "ss-controls",
				children: [
					/* @__PURE__ */ J(Yn, {
						state: t,
						run: u
					}),
					n && /* @__PURE__ */ J(Gn, { phases: n.phases }),
					c && /* @__PURE__ */ J(pt, {
						running: n?.counts.running ?? 0,
						stop: () => {
							d(), e.command("stop");
						},
						close: d
					})
				]
			}),
			/* @__PURE__ */ J("p", {
				class: "ss-sentence",
				role: "status",
				"aria-label": "Stepper status",
				"aria-live": "polite",
				children: /* @__PURE__ */ J(Y, { of: et(t) })
			}),
			/* @__PURE__ */ J(ft, {
				alerts: t.alerts,
				dismiss: (t) => e.dismiss(t)
			}),
			n?.protocol === 1 && /* @__PURE__ */ J(Wn, {
				client: e,
				state: t,
				summary: n,
				ids: i,
				choice: o,
				setChoice: s,
				single: a
			})
		]
	});
}
// src/index.tsx
function Qn({ model: e, el: t }) {
	let n = new be(e);
	return n.start(), P(/* @__PURE__ */ J(Zn, { client: n }), t), () => {
		n.stop(), P(null, t);
	};
}
var $n = { render: Qn };
export { $n as default };
