import './style.css';
import {App} from './app.ts';
import {ATTRIBUTION} from './map/basemap.ts';
import {store} from './state.ts';
import {installTestHook} from './testhook.ts';
import {card} from './ui/card.ts';
import {baseSwitch, lookSwitch, mapButtons} from './ui/controls.ts';
import {h, icon} from './ui/dom.ts';
import {fencesPanel} from './ui/fences.ts';
import {tabs} from './ui/tabs.ts';
import {feed} from './ui/feed.ts';
import {timeline} from './ui/timeline.ts';
import {fleetList} from './ui/list.ts';
import {notices} from './ui/notices.ts';
import {topbar} from './ui/topbar.ts';

const app = new App();
app.prepare();
installTestHook(app);

const container = h('div', {class: 'map', id: 'map', role: 'region', 'aria-label': 'Map of the fleet'});
const sheet = h('button', {type: 'button', class: 'sheet-handle', 'aria-expanded': 'false', 'aria-label': 'Enlarge the panel', click: () => {
  const large = document.body.classList.toggle('sheet-large');
  sheet.setAttribute('aria-expanded', String(large));
  sheet.setAttribute('aria-label', large ? 'Reduce the panel' : 'Enlarge the panel');
}}, icon('up'));
const panel = h('aside', {class: 'panel', 'aria-label': 'Details'}, sheet, card(app.actions), tabs(app.actions), feed(app.actions), fencesPanel(app.actions));
const main = h('main', {class: 'stage'}, container, notices(app.actions), h('div', {class: 'below'}, lookSwitch(app.actions), baseSwitch(app.actions)), mapButtons(app.actions),
  h('p', {class: 'attribution'}, ATTRIBUTION + ' ', h('a', {href: './licences.txt'}, 'Licences'), ' ', h('a', {href: './docs'}, 'API')), timeline(app.actions));
document.getElementById('app')!.replaceChildren(topbar(app.actions), main, panel);
store.watch(s => s.selected, selected => document.body.classList.toggle('has-card', selected !== null));

addEventListener('keydown', event => {
  const target = event.target as HTMLElement;
  if (event.key === 'Escape' && store.get().draft && target.matches('input, textarea, select')) return target.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches('input, textarea, select, [contenteditable]')) return;
  switch (event.key) {
    case '/': document.getElementById('search')?.focus(); break;
    case 'Escape':
      if (store.get().draft) app.actions.cancelFence();
      else app.actions.select(null);
      break;
    case 'j': app.step(1); break;
    case 'k': app.step(-1); break;
    case 'l': app.actions.live(); break;
    case ' ':
      if (target.matches('button, a, summary, [role=button]')) return;
      app.actions.play();
      break;
    case 'ArrowLeft':
    case 'ArrowRight':
      if (!store.get().replay || target.matches('.maplibregl-canvas')) return; // there they move the map
      app.actions.stepReplay(event.key === 'ArrowLeft' ? -1 : 1);
      break;
    default: return;
  }
  event.preventDefault();
});

function refuse(text: string, detail: string): void {
  main.append(h('div', {class: 'refusal', role: 'alert'}, h('strong', {}, text), h('p', {}, detail)));
}

if (!document.createElement('canvas').getContext('webgl2')) {
  document.body.classList.add('no-webgl');
  const list = fleetList(app.actions);
  main.prepend(h('div', {class: 'without-map'}, h('div', {role: 'alert'}, h('strong', {}, 'This browser cannot draw the map.'),
    h('p', {}, 'It has no WebGL2, or it is turned off (hardware acceleration in its settings). Vehicles, events and fences are listed instead.')), list.root));
  app.startWithoutMap(list.show);
} else {
  app.start(container).catch((problem: unknown) => refuse('The map could not be started.', problem instanceof Error ? problem.message : String(problem)));
}
