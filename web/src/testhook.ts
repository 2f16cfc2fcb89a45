import type {App} from './app.ts';
import {latitude, longitude} from './mercator.ts';
import {store} from './state.ts';

declare global {
  interface Window {
    __trackmesh: ReturnType<typeof hook>;
  }
}

/** What tests ask: what is shown, and the colours that are drawn. Nothing of the page uses it. */
function hook(app: App) {
  const stage = () => app.stage;
  return {
    state() {
      const {phase, look, selected, dark, status, events} = store.get();
      return {phase, look, drawn: stage()?.drawn, selected, dark, status, events: events.length, replay: store.get().replay, timeline: store.get().timeline, lit: stage()?.litFences() ?? []};
    },
    vehicles: () => stage()?.fleet.count ?? 0,
    vehicle(id: string) {
      const s = stage(), pixel = s?.placeOf(id), row = s?.fleet.rowOf(id);
      if (!s || !pixel || row === undefined) return null;
      return {
        pixel, colour: s.colourAt('vehicles', pixel[0], pixel[1]), status: s.fleet.stateOf(row),
        lon: longitude(s.fleet.toX[row]!), lat: latitude(s.fleet.toY[row]!),
      };
    },
    cells: () => (stage()?.drawn === 'cells' ? stage()!.cells : null),
    draft: () => store.get().draft,
    fences: () => store.get().fences.map(f => f.id),
    colourAt: (layer: 'vehicles' | 'flat', x: number, y: number) => stage()?.colourAt(layer, x, y),
    idle: () => stage()?.isIdle() ?? false,
  };
}

export function installTestHook(app: App): void {
  window.__trackmesh = hook(app);
}
