import type {Stage} from '../map/stage.ts';
import {store} from '../state.ts';
import {h} from './dom.ts';
import {count, heading, speed} from './format.ts';
import {NO_SPEED} from '../wire/frame.ts';

/** The name beside what the pointer is on, and the ring round the chosen vehicle. */
export function tooltip(container: HTMLElement, stage: Stage): void {
  const tip = h('div', {class: 'tooltip', role: 'tooltip', hidden: true});
  const ring = h('div', {class: 'ring', 'aria-hidden': 'true', hidden: true});
  const canvases = stage.map.getCanvasContainer();
  container.append(ring, tip);

  const hide = () => {
    tip.hidden = true;
    canvases.style.cursor = '';
  };
  const say = (x: number, y: number, ...content: (Node | string)[]) => {
    tip.replaceChildren(...content);
    tip.hidden = false;
    tip.style.transform = `translate(${Math.round(x + 14)}px, ${Math.round(y + 14)}px)`;
    tip.classList.toggle('is-left', x > container.clientWidth - 220);
    canvases.style.cursor = 'pointer';
  };
  stage.map.on('mousemove', ({point: {x, y}}) => {
    const row = stage.pick(x, y), cell = stage.pickCell(x, y), {fleet} = stage;
    if (row !== undefined) {
      const dms = fleet.speedDms[row]!, state = fleet.stateOf(row);
      const facts = state === 'moving' ? [speed(dms === NO_SPEED ? null : dms / 10), heading(fleet.headingDegrees(row))].filter(f => f !== '–').join(' · ') : '';
      say(x, y, h('b', {}, fleet.nameOf(row) ?? 'unnamed'), h('span', {class: `state state-${state}`}, h('i'), state), ...(facts ? [h('span', {}, facts)] : []));
    } else if (cell) say(x, y, h('b', {}, `${count(cell.count)} ${cell.count === 1 ? 'vehicle' : 'vehicles'}`), h('span', {class: 'mono'}, cell.id));
    else hide();
  });
  stage.map.on('mouseout', hide);
  stage.map.on('movestart', hide);

  stage.onDraw(() => {
    const {selected, track} = store.get();
    let place = selected === null ? undefined : stage.placeOf(selected);
    if (!place && selected !== null && track) place = stage.screen(track.position);
    ring.hidden = place === undefined;
    if (place) ring.style.transform = `translate(${place[0].toFixed(1)}px, ${place[1].toFixed(1)}px)`;
  });
  store.watch(s => s.selected, () => stage.invalidate());
  store.watch(s => s.track, () => stage.invalidate());
}
