import {formatHash, parseHash} from './hash.ts';
import {latitude, longitude, mercatorX, mercatorY} from './mercator.ts';
import {loadBasemap} from './map/basemap.ts';
import {drawnGeometry} from './map/fences.ts';
import {LIGHT, DARK} from './map/palette.ts';
import {Stage} from './map/stage.ts';
import {ownStyle} from './map/style.ts';
import {store, type FleetEvent, type Look} from './state.ts';
import type {Actions} from './ui/actions.ts';
import {visibleEvents} from './ui/feed.ts';
import {tooltip} from './ui/tooltip.ts';
import {ApiError, at, getConfig, getEvents, getExtent, getFences, getTrack, getTrail} from './wire/api.ts';
import {EventStream, mergeEvents} from './wire/events.ts';
import type {Frame} from './wire/frame.ts';
import {LiveConnection} from './wire/live.ts';

const MOST_EVENTS = 500;
/** What is shown first: west, south, east, north. */
const NEW_YORK = [-74.06, 40.56, -73.74, 40.9] as const;
const LIT_WITHIN_MS = 30_000;
const reduced = matchMedia('(prefers-reduced-motion: reduce)');

/** The centre and zoom that show New York in a window of any size. */
function firstView({clientWidth, clientHeight}: HTMLElement): {centre: [number, number]; zoom: number} {
  const [west, south, east, north] = NEW_YORK;
  const width = mercatorX(east) - mercatorX(west), height = mercatorY(south) - mercatorY(north);
  const zoom = Math.log2(Math.min(clientWidth / width, clientHeight / height) / 512);
  return {centre: [(west + east) / 2, (south + north) / 2], zoom: Math.max(8, zoom)};
}

/** Wires the parts together: what comes from the node goes to the store and the stage, what the user does to both. */
export class App {
  readonly actions: Actions = {
    select: (vehicle, fly) => this.select(vehicle, fly ?? false),
    follow: on => store.set({following: on}),
    openEvent: event => this.openEvent(event),
    look: look => this.setLook(look),
    toggleDark: () => this.setDark(!store.get().dark, true),
    zoom: by => this.stage?.map.easeTo({zoom: this.stage.map.getZoom() + by, duration: reduced.matches ? 0 : 200}),
    showFleet: () => void this.showFleet(),
    reconnect: () => this.live?.connect(),
    search: text => this.stage?.fleet.search(text, 8) ?? [],
  };

  stage: Stage | undefined;
  private live: LiveConnection | undefined;
  private stream: EventStream | undefined;
  private asking: AbortController | undefined;
  private lookTimer = 0;
  private flight: string | null = null;

  /** Chooses the theme before anything is drawn. */
  prepare(): void {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const kept = localStorage.getItem('trackmesh-theme');
    this.setDark(kept ? kept === 'dark' : system.matches, false);
    system.addEventListener('change', () => !localStorage.getItem('trackmesh-theme') && this.setDark(system.matches, false));
    const link = parseHash(location.hash);
    store.set({look: link.look ?? 'auto', selected: link.vehicle ?? null});
  }

  async start(container: HTMLElement): Promise<void> {
    const config = await getConfig().catch(() => ({map_style_url: ''}));
    const foreign = config.map_style_url || undefined;
    const link = parseHash(location.hash), {dark} = store.get();
    const style = foreign ?? ownStyle(await loadBasemap(), dark ? DARK : LIGHT);
    this.stage = new Stage({
      container, style, own: foreign === undefined, dark, still: reduced.matches,
      ...(link.lon === undefined ? firstView(container) : {centre: [link.lon, link.lat!], zoom: link.zoom!}),
    });
    reduced.addEventListener('change', () => this.stage?.setStill(reduced.matches));
    this.bind(container, this.stage);
    this.connect(this.stage);
    setInterval(() => void this.refreshTrack(), 2000);
    setInterval(() => store.get().phase === 'live' && void this.loadFences(), 30_000);
    if (link.vehicle) this.select(link.vehicle, link.lon === undefined);
  }

  private bind(container: HTMLElement, stage: Stage): void {
    stage.map.on('moveend', () => {
      this.writeHash();
      this.tellView();
    });
    stage.map.on('move', () => this.tellViewSoon());
    stage.map.on('dragstart', () => store.set({following: false}));
    stage.map.on('click', event => {
      const row = stage.pick(event.point.x, event.point.y);
      const cell = stage.pickCell(event.point.x, event.point.y);
      if (row !== undefined) this.select(stage.fleet.nameOf(row) ?? null, false);
      else if (cell) this.fit([longitude(cell.west), latitude(cell.south), longitude(cell.east), latitude(cell.north)]);
      else this.select(null, false);
    });
    tooltip(container, stage);
    addEventListener('hashchange', () => this.readHash());
    store.watch(s => s.fences, fences => stage.showFences(fences));
    store.watch(s => s.track, () => this.follow(stage));
    store.watch(s => s.following, () => this.follow(stage));
    store.watch(s => s.trail, trail => stage.showTrail(trail?.vehicle ?? null, trail?.line ?? []));
    stage.onDraw(() => this.follow(stage));
  }

  private connect(stage: Stage): void {
    this.stream = new EventStream({
      events: batch => this.take(batch),
      problem: detail => store.set({eventsProblem: detail}),
    });
    const url = at('api/v1/live');
    url.protocol = url.protocol.replace('http', 'ws');
    this.live = new LiveConnection(url.href, {
      connecting: () => store.set({phase: 'connecting'}),
      opened: () => {
        stage.fleet.restart();
        store.set({phase: 'live', lostAt: 0});
        this.tellView();
        this.stream!.resume();
        void this.loadFences();
        void this.loadEvents();
      },
      lost: retryAt => {
        this.stream!.stop();
        store.set({phase: 'lost', retryAt, lostAt: store.get().lostAt || Date.now()});
      },
      status: status => {
        store.set({status});
        this.stream!.resume();
      },
      frame: frame => this.show(stage, frame),
    });
    this.tellView();
    this.live.connect();
  }

  private show(stage: Stage, frame: Frame): void {
    if (frame.kind === 'dictionary') stage.fleet.learn(frame);
    else if (frame.kind === 'cells') stage.showCells(frame);
    else {
      stage.fleet.apply(frame, performance.now());
      stage.showPoints(store.get().look === 'heat');
    }
    if (frame.kind !== 'dictionary') store.set({cut: frame.cut});
  }

  private tellView(): void {
    clearTimeout(this.lookTimer);
    this.lookTimer = 0;
    const bounds = this.stage?.map.getBounds();
    if (!bounds) return;
    const lon = (v: number) => Math.max(-180, Math.min(180, v)), lat = (v: number) => Math.max(-90, Math.min(90, v));
    this.live?.look({bbox: [lon(bounds.getWest()), lat(bounds.getSouth()), lon(bounds.getEast()), lat(bounds.getNorth())], look: store.get().look});
  }

  private tellViewSoon(): void {
    if (this.lookTimer === 0) this.lookTimer = window.setTimeout(() => this.tellView(), 250);
  }

  private setLook(look: Look): void {
    store.set({look});
    this.writeHash();
    this.tellView();
    if (look === 'heat' || look === 'points') this.stage?.redrawPoints(look === 'heat');
  }

  private setDark(dark: boolean, keep: boolean): void {
    if (keep) localStorage.setItem('trackmesh-theme', dark ? 'dark' : 'light');
    document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
    store.set({dark});
    this.stage?.setDark(dark);
  }

  private select(vehicle: string | null, fly: boolean): void {
    if (vehicle !== store.get().selected) {
      store.set({selected: vehicle, following: false, track: null, trail: null, trackEvents: [], trackProblem: null});
      this.writeHash();
    }
    this.flight = fly ? vehicle : null;
    if (vehicle !== null) void this.refreshTrack();
  }

  /** Asks for the chosen vehicle; an answer for one that was left is dropped. */
  private async refreshTrack(): Promise<void> {
    const vehicle = store.get().selected;
    if (vehicle === null || document.visibilityState === 'hidden' || store.get().phase === 'lost') return;
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    try {
      const [track, trail, trackEvents] = await Promise.all([
        getTrack(vehicle, asking.signal), getTrail(vehicle, asking.signal).catch(() => null), getEvents(vehicle, asking.signal).catch(() => []),
      ]);
      if (asking.signal.aborted) return;
      store.set({track, trail, trackEvents, trackProblem: null});
      if (this.flight === vehicle) this.fly(track.position, 13.5);
      this.flight = null;
    } catch (problem) {
      if (asking.signal.aborted) return;
      const unknown = problem instanceof ApiError && problem.status === 404;
      store.set({trackProblem: unknown ? `There is no vehicle ${vehicle}.` : 'This vehicle cannot be asked for now.', ...(unknown ? {track: null} : {})});
    }
  }

  private async loadFences(): Promise<void> {
    const fences = await getFences().catch(() => undefined);
    if (fences && JSON.stringify(fences) !== JSON.stringify(store.get().fences)) store.set({fences});
  }

  private async loadEvents(): Promise<void> {
    try {
      const events = await getEvents();
      store.set({events: mergeEvents(store.get().events, events, MOST_EVENTS)});
    } catch (problem) {
      store.set({eventsProblem: problem instanceof ApiError ? problem.message : 'Events cannot be loaded now.'});
    }
  }

  private take(batch: FleetEvent[]): void {
    store.set({events: mergeEvents(store.get().events, batch, MOST_EVENTS), eventsProblem: null});
    for (const event of batch) {
      if (Date.now() - Date.parse(event['@timestamp']) < LIT_WITHIN_MS) this.light(event);
    }
  }

  private light(event: FleetEvent): void {
    const fence = event.fence && store.get().fences.find(f => f.id === event.fence!.id);
    const geometry = fence && drawnGeometry(fence);
    if (fence && geometry) this.stage?.light(fence.id, geometry);
  }

  private openEvent(event: FleetEvent): void {
    store.set({current: event.id});
    this.select(event.vehicle, false);
    this.light(event);
    if (event.location) this.fly(event.location, 13);
  }

  private fly(to: [number, number], zoom: number): void {
    const map = this.stage!.map;
    map.easeTo({center: to, zoom: Math.max(zoom, map.getZoom()), duration: reduced.matches ? 0 : 700});
  }

  private fit([west, south, east, north]: [number, number, number, number]): void {
    this.stage!.map.fitBounds([[west, south], [east, north]], {padding: 40, maxZoom: 15, duration: reduced.matches ? 0 : 500});
  }

  private async showFleet(): Promise<void> {
    const extent = await getExtent().catch(() => undefined);
    if (extent) this.fit(extent);
  }

  /** Keeps the followed vehicle in the middle third, moving the map only when it leaves it. */
  private follow(stage: Stage): void {
    const {following, selected, track} = store.get();
    if (!following || selected === null || stage.map.isMoving()) return;
    const view = stage.view();
    const place = stage.placeOf(selected) ?? (track ? stage.screen(track.position) : undefined); // frames hold only what is in view
    if (!place) return;
    if (Math.abs(place[0] - view.width / 2) < view.width / 6 && Math.abs(place[1] - view.height / 2) < view.height / 6) return;
    const to: [number, number] = [(place[0] - view.width / 2) / view.world + view.x, (place[1] - view.height / 2) / view.world + view.y];
    queueMicrotask(() => stage.map.easeTo({center: [longitude(to[0]), latitude(to[1])], duration: reduced.matches ? 0 : 500}));
  }

  private writeHash(): void {
    const {look, selected} = store.get(), map = this.stage?.map;
    if (!map) return;
    const {lng, lat} = map.getCenter();
    const hash = formatHash({zoom: map.getZoom(), lat, lon: lng, look, ...(selected === null ? {} : {vehicle: selected})});
    if (hash !== location.hash) history.replaceState(null, '', hash || location.pathname);
  }

  private readHash(): void {
    const link = parseHash(location.hash);
    if (link.look && link.look !== store.get().look) this.setLook(link.look);
    if (link.lon !== undefined) this.stage?.map.jumpTo({center: [link.lon, link.lat!], zoom: link.zoom!});
    if ((link.vehicle ?? null) !== store.get().selected) this.select(link.vehicle ?? null, link.lon === undefined);
  }

  /** Goes to the next or the previous event of the feed. */
  step(by: 1 | -1): void {
    const events = visibleEvents(), at = events.findIndex(e => e.id === store.get().current);
    const event = events[at === -1 ? 0 : Math.max(0, Math.min(events.length - 1, at + by))];
    if (event) this.openEvent(event);
  }
}
