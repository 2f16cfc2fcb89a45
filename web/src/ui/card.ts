import {store, type State, type TrackState, type Trail} from '../state.ts';
import {fenceName} from '../map/fences.ts';
import type {Actions} from './actions.ts';
import {h, icon, svg} from './dom.ts';
import {eventRow} from './feed.ts';
import {journeys, messageForm} from './journeys.ts';
import {ago, distance, duration, heading, speed} from './format.ts';

/** What is known of the chosen vehicle. */
export function card(actions: Actions): HTMLElement {
  const body = h('div', {class: 'card-now'});
  const title = h('h2', {id: 'card-title'});
  const follow = h('button', {type: 'button', class: 'button', id: 'follow', click: () => actions.follow(!store.get().following)}, icon('follow'), 'Follow');
  const close = h('button', {type: 'button', class: 'icon-button', 'aria-label': 'Close', title: 'Close (Esc)', click: () => actions.select(null)}, icon('close'));
  const again = h('button', {type: 'button', class: 'button', id: 'replay-vehicle', title: 'Play its last half hour', click: () => actions.replayVehicle()}, icon('go'), 'Replay');
  const root = h('section', {class: 'card', id: 'card', 'aria-labelledby': 'card-title', hidden: true},
    h('div', {class: 'card-head'}, title, close, follow, again),
    h('div', {class: 'card-body', tabindex: '0', role: 'group', 'aria-labelledby': 'card-title'}, body, journeys(actions), messageForm(actions)));
  const show = () => {
    const s = store.get();
    root.hidden = s.selected === null;
    if (s.selected === null) return;
    title.textContent = s.selected;
    follow.setAttribute('aria-pressed', String(s.following));
    body.replaceChildren(...content(s, actions));
  };
  for (const part of ['selected', 'following', 'track', 'trackProblem', 'fences'] as const) store.watch(s => s[part], show);
  return root;
}

function content(s: Readonly<State>, actions: Actions): Node[] {
  if (!s.track) return s.trackProblem === null ? [h('div', {class: 'skeleton', 'aria-label': 'Loading'})] : [h('p', {class: 'empty'}, s.trackProblem)];
  const parts: Node[] = [...facts(s.track)];
  const line = s.trail?.vehicle === s.track.vehicle ? spark(s.trail) : undefined;
  if (line) parts.push(line);
  parts.push(...fences(s, s.track), ...attributes(s.track));
  if (s.trackEvents.length > 0) {
    parts.push(h('h3', {}, 'Recent events'), h('ol', {class: 'events events-short'}, ...s.trackEvents.slice(0, 6).map(e => eventRow(e, actions, false))));
  }
  return parts;
}

function facts(track: TrackState): Node[] {
  const fact = (name: string, value: string) => h('div', {}, h('dt', {}, name), h('dd', {}, value));
  return [
    h('p', {class: 'state-line'}, h('span', {class: `state state-${track.status}`}, h('i', {'aria-hidden': 'true'}), track.status),
      h('span', {class: 'seen'}, `seen ${ago(track.time, Date.now())}`)),
    h('dl', {class: 'facts'}, fact('Speed', speed(track.speed_mps)), fact('Heading', heading(track.heading_degrees)), fact('Odometer', distance(track.odometer_metres))),
  ];
}

/** The speed along the trail. */
function spark(trail: Trail): HTMLElement | undefined {
  const known: [number, number][] = [];
  trail.speeds.forEach((mps, i) => mps !== null && known.push([Date.parse(trail.times[i]!), mps]));
  const first = known[0], last = known[known.length - 1];
  if (!first || !last || known.length < 3 || last[0] <= first[0]) return undefined;
  const top = Math.max(...known.map(p => p[1])), scale = Math.max(5, top);
  if (top < 0.5) return undefined;
  const points = known.map(([t, mps]) => `${(((t - first[0]) / (last[0] - first[0])) * 300).toFixed(1)},${(39 - (mps / scale) * 36).toFixed(1)}`).join(' ');
  return h('figure', {class: 'spark'},
    svg('svg', {viewBox: '0 0 300 40', preserveAspectRatio: 'none', 'aria-hidden': 'true'},
      svg('polygon', {points: `0,40 ${points} 300,40`, class: 'spark-area'}),
      svg('polyline', {points, class: 'spark-line', 'vector-effect': 'non-scaling-stroke'})) as unknown as Node,
    h('figcaption', {}, h('span', {}, `Speed over ${duration((last[0] - first[0]) / 1000)}`), h('span', {}, `at most ${speed(top)}`)));
}

function fences(s: Readonly<State>, track: TrackState): Node[] {
  if (track.fences.length === 0) return [];
  return [h('h3', {}, 'In fences'), h('ul', {class: 'tags'}, ...track.fences.map(id => h('li', {}, fenceName(s.fences, id))))];
}

function attributes(track: TrackState): Node[] {
  const entries = Object.entries(track.attributes);
  if (entries.length === 0) return [];
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  return [h('h3', {}, 'Attributes'), h('dl', {class: 'attributes'}, ...entries.map(([key, value]) => h('div', {}, h('dt', {}, key), h('dd', {}, text(value)))))];
}
