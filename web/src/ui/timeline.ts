import {RANGES, SPEEDS, ticksOf, type Span} from '../replay/plan.ts';
import {store} from '../state.ts';
import type {Actions} from './actions.ts';
import {h, icon} from './dom.ts';
import {clock, count} from './format.ts';

/** A press that moves less than this is a click. */
const CLICK_PX = 4;
const DAY = new Intl.DateTimeFormat('en-GB', {weekday: 'short', day: 'numeric', month: 'short'});
const SHORT = new Intl.DateTimeFormat('en-GB', {hour: '2-digit', minute: '2-digit'});

/** Below: how much history there is, a window of it to drag, and the player. */
export function timeline(actions: Actions): HTMLElement {
  return h('section', {class: 'dock', 'aria-label': 'History'}, controls(actions), track(actions));
}

function controls(actions: Actions): HTMLElement {
  const live = h('button', {type: 'button', class: 'button live', id: 'live', title: 'Live (L)', click: () => actions.live()}, h('i', {'aria-hidden': 'true'}), 'Live');
  const play = h('button', {type: 'button', class: 'icon-button', id: 'play', click: () => actions.play()});
  const back = h('button', {type: 'button', class: 'icon-button step', 'aria-label': 'Step back', title: 'Step back (←)', click: () => actions.stepReplay(-1)}, icon('back'));
  const on = h('button', {type: 'button', class: 'icon-button step', 'aria-label': 'Step forward', title: 'Step forward (→)', click: () => actions.stepReplay(1)}, icon('forward'));
  const speed = h('select', {id: 'speed', 'aria-label': 'Speed of the replay', change: () => actions.speed(Number(speed.value))},
    ...SPEEDS.map(s => h('option', {value: s}, `${s}×`)));
  const range = h('select', {id: 'range', 'aria-label': 'Time that is shown', change: () => actions.range(Number(range.value))},
    ...RANGES.map(([label, ms]) => h('option', {value: ms}, label)));
  const time = h('time', {class: 'moment', id: 'moment'});
  store.watch(s => s.replay === null, now => {
    live.setAttribute('aria-pressed', String(now));
    document.body.classList.toggle('is-replay', !now);
    for (const element of [back, on, speed]) element.hidden = now;
  });
  store.watch(s => s.replay?.playing ?? false, playing => {
    play.replaceChildren(icon(playing ? 'pause' : 'go'));
    play.setAttribute('aria-label', playing ? 'Pause' : 'Play');
    play.title = playing ? 'Pause (Space)' : 'Play (Space)';
  });
  store.watch(s => s.replay?.speed ?? 1, n => (speed.value = String(SPEEDS.find(s => s >= n) ?? 300)));
  store.watch(s => s.range, ms => (range.value = String(ms)));
  store.watch(s => Math.floor((s.replay?.at ?? 0) / 1000), second => {
    const at = new Date(second * 1000);
    time.dateTime = second === 0 ? '' : at.toISOString();
    time.replaceChildren(...(second === 0 ? [] : [h('b', {}, clock(time.dateTime)), ` ${DAY.format(at)}`]));
  });
  return h('div', {class: 'dock-controls'}, live, back, play, on, time, speed, range);
}

function track(actions: Actions): HTMLElement {
  const canvas = h('canvas', {'aria-hidden': 'true'});
  const slider = h('div', {
    class: 'playhead', id: 'playhead', role: 'slider', tabindex: '0', 'aria-label': 'Time of the replay', 'aria-orientation': 'horizontal',
    'aria-valuemin': 0, 'aria-valuemax': 0, 'aria-valuenow': 0,
  });
  const hint = h('p', {class: 'dock-hint'});
  const root = h('div', {class: 'track'}, canvas, slider, hint);
  let dragged: Span | undefined;

  const place = () => {
    const s = store.get(), t = s.timeline;
    hint.textContent = s.timelineProblem ?? (t && t.times.length === 0 ? 'No history in this time yet.' : '');
    if (!t) return;
    const at = s.replay?.at ?? t.to, part = Math.max(0, Math.min(1, (at - t.from) / (t.to - t.from)));
    slider.style.left = `${part * 100}%`;
    slider.setAttribute('aria-valuemin', String(Math.round(t.from / 1000)));
    slider.setAttribute('aria-valuemax', String(Math.round(t.to / 1000)));
    slider.setAttribute('aria-valuenow', String(Math.round(at / 1000)));
    slider.setAttribute('aria-valuetext', s.replay ? `${clock(new Date(at).toISOString())}, ${DAY.format(at)}` : 'Live');
  };
  const draw = () => {
    place();
    drawTrack(canvas, dragged);
  };
  for (const part of ['timeline', 'dark', 'timelineProblem'] as const) store.watch(s => s[part], draw);
  store.watch(s => `${s.replay?.from} ${s.replay?.to}`, draw);
  store.watch(s => s.replay?.at, place);
  new ResizeObserver(draw).observe(root);

  const timeAt = (x: number): number | undefined => {
    const t = store.get().timeline, box = canvas.getBoundingClientRect();
    return t ? t.from + Math.max(0, Math.min(1, (x - box.left) / box.width)) * (t.to - t.from) : undefined;
  };
  root.addEventListener('pointerdown', event => {
    const start = timeAt(event.clientX), x0 = event.clientX;
    if (start === undefined || event.button !== 0) return;
    root.setPointerCapture(event.pointerId);
    const onHead = event.target === slider && store.get().replay !== null;
    const move = (e: PointerEvent) => {
      const now = timeAt(e.clientX)!;
      if (onHead) actions.seek(now);
      else dragged = Math.abs(e.clientX - x0) < CLICK_PX ? undefined : {from: Math.min(start, now), to: Math.max(start, now)};
      draw();
    };
    const up = (e: PointerEvent) => {
      root.removeEventListener('pointermove', move);
      root.removeEventListener('pointerup', up);
      root.removeEventListener('pointercancel', up);
      const span = dragged;
      dragged = undefined;
      draw();
      if (e.type === 'pointercancel' || onHead) return;
      if (span) actions.replay(span);
      else actions.seek(start);
    };
    root.addEventListener('pointermove', move);
    root.addEventListener('pointerup', up);
    root.addEventListener('pointercancel', up);
    event.preventDefault();
    slider.focus({preventScroll: true});
  });
  slider.addEventListener('keydown', event => {
    const t = store.get().timeline, at = store.get().replay?.at ?? t?.to;
    if (!t || at === undefined) return;
    const step = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10}[event.key];
    if (step !== undefined) actions.seek(at + (step * (t.to - t.from)) / 100);
    else if (event.key === 'Home') actions.seek(t.from);
    else if (event.key === 'End') actions.live();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return root;
}

function drawTrack(canvas: HTMLCanvasElement, dragged: Span | undefined): void {
  const s = store.get(), t = s.timeline, ratio = Math.min(2, devicePixelRatio), {clientWidth: width, clientHeight: height} = canvas;
  if (width === 0) return;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const paint = canvas.getContext('2d')!, style = getComputedStyle(canvas), colour = (name: string) => style.getPropertyValue(name);
  paint.scale(ratio, ratio);
  if (!t) return;
  const x = (time: number) => ((time - t.from) / (t.to - t.from)) * width, foot = height - 15;
  const window = dragged ?? (s.replay ? {from: s.replay.from, to: s.replay.to} : undefined);
  if (window) {
    paint.fillStyle = colour('--accent-soft');
    paint.fillRect(x(window.from), 0, Math.max(2, x(window.to) - x(window.from)), foot);
  }
  const most = Math.max(1, ...t.counts), bar = Math.max(1, (t.intervalMs / (t.to - t.from)) * width - 1);
  t.times.forEach((time, i) => {
    const size = Math.max(1.5, (t.counts[i]! / most) * (foot - 3)), inside = !window || (time + t.intervalMs > window.from && time < window.to);
    paint.fillStyle = colour(inside ? '--accent' : '--bar');
    paint.fillRect(x(time), foot - size, bar, size);
  });
  paint.fillStyle = colour('--line');
  paint.fillRect(0, foot, width, 1);
  paint.font = `11px ${style.fontFamily}`;
  paint.fillStyle = colour('--soft');
  paint.textAlign = 'center';
  const far = t.to - t.from > 2 * 86_400_000;
  for (const tick of ticksOf(t, Math.max(2, Math.floor(width / 90)))) {
    if (x(tick) < 24 || x(tick) > width - 24) continue;
    paint.fillText(far ? DAY.format(tick) : SHORT.format(tick), x(tick), height - 3);
    paint.fillRect(x(tick), foot, 1, 3);
  }
  if (window) {
    paint.fillStyle = colour('--accent');
    for (const edge of [window.from, window.to]) paint.fillRect(x(edge) - 1, 0, 2, foot);
  }
  canvas.title = `${count(t.counts.reduce((a, b) => a + b, 0))} fixes. Drag to play a part, click to go to a moment.`;
}
