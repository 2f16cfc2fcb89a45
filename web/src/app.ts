import {Desk} from './fences/desk.ts';
import {Fleet} from './fleet.ts';
import {formatHash, parseHash, type Link} from './hash.ts';
import {latitude, longitude, mercatorX, mercatorY} from './mercator.ts';
import {loadBasemap} from './map/basemap.ts';
import {drawnGeometry} from './map/fences.ts';
import {LIGHT, DARK} from './map/palette.ts';
import {Stage} from './map/stage.ts';
import {ownStyle} from './map/style.ts';
import {intervalOf, stepOf} from './replay/plan.ts';
import type {Session} from './replay/session.ts';
import {store, type Base, type Fence, type FleetEvent, type Look, type TrackState} from './state.ts';
import type {Actions} from './ui/actions.ts';
import {visibleEvents} from './ui/feed.ts';
import {tooltip} from './ui/tooltip.ts';
import {ApiError, at, getConfig, getEvents, getExtent, getFences, getJourneys, sendMessage, getTimeline, getTrack, getTrail} from './wire/api.ts';
import {EventStream, mergeEvents} from './wire/events.ts';
import {NO_SPEED, type Frame} from './wire/frame.ts';
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
    search: text => (this.stage?.fleet ?? this.fleet).search(text, 8),
    replay: (span, at) => void this.openReplay({...span, at: at ?? span.from, speed: store.get().replay?.speed ?? 10}, true),
    seek: at => this.seek(at),
    play: () => this.play(),
    stepReplay: by => this.session?.player.step(by * stepOf(store.get().replay!.speed)),
    speed: speed => this.session?.player.speed(speed),
    live: () => this.backToLive(),
    base: base => void this.setBase(base, true),
    show: place => this.fly(place, 14),
    replayVehicle: () => {
      const to = store.get().replay?.at ?? Date.now();
      store.set({following: true});
      void this.openReplay({from: to - 1_800_000, to, at: to - 1_800_000, speed: 30}, true);
    },
    message: body => void this.message(body),
    panel: panel => {
      store.set({panel});
      if (panel === 'fences') this.desk.mark();
      else this.stage?.mark(undefined);
    },
    openFence: id => {
      this.desk.open(id);
      const fence = store.get().fences.find(f => f.id === id);
      if (fence) this.actions.showFence(fence);
    },
    showFence: fence => {
      const box = Desk.boxOf(fence);
      if (box && this.stage) this.fit(box);
    },
    newFence: kind => this.desk.create(kind),
    editFence: fence => this.desk.edit(fence),
    draft: (change, redraw) => this.desk.change(change, redraw),
    saveFence: () => void this.desk.save(),
    cancelFence: () => this.desk.cancel(),
    deleteFence: fence => void this.desk.remove(fence),
    backtest: (fence, from, to) => void this.desk.backtest(fence, from, to),
    range: ms => {
      store.set({range: ms, timeline: null});
      void this.loadTimeline();
    },
  };

  stage: Stage | undefined;
  /** The fleet that the node sends, also while another one is drawn. */
  private fleet = new Fleet();
  private session: Session | undefined;
  private urls: {style: string | undefined; tiles: string | undefined} = {style: undefined, tiles: undefined};
  private showList: (fleet: Fleet, inAll: number) => void = () => undefined;
  private readonly desk = new Desk(() => this.stage, () => this.loadFences());
  private live: LiveConnection | undefined;
  private stream: EventStream | undefined;
  private asking: AbortController | undefined;
  private lookTimer = 0;
  private hashTimer = 0;
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
    const config: Awaited<ReturnType<typeof getConfig>> = await getConfig().catch(() => ({}));
    this.urls = {style: config.map_style_url || undefined, tiles: config.map_pmtiles_url || undefined};
    const link = parseHash(location.hash), {dark} = store.get(), bases = (['own', 'style', 'tiles'] as const).filter(b => b === 'own' || this.urls[b]);
    this.stage = new Stage({
      container, style: ownStyle(await loadBasemap(), dark ? DARK : LIGHT), own: true, dark, still: reduced.matches,
      ...(link.lon === undefined ? firstView(container) : {centre: [link.lon, link.lat!], zoom: link.zoom!}),
    });
    this.fleet = this.stage.fleet;
    reduced.addEventListener('change', () => this.stage?.setStill(reduced.matches));
    this.bind(container, this.stage);
    store.set({bases});
    const kept = localStorage.getItem('trackmesh-base') as Base | null, first = kept && bases.includes(kept) ? kept : bases[bases.length - 1]!;
    if (first !== 'own') void this.setBase(first, false);
    this.connect(this.stage);
    setInterval(() => void this.refreshTrack(), 2000);
    setInterval(() => store.get().phase === 'live' && void this.loadFences(), 30_000);
    if (link.vehicle) this.select(link.vehicle, link.lon === undefined);
    if (link.replay) void this.openReplay(link.replay, false);
    setInterval(() => void this.loadTimeline(), 15_000);
    store.watch(s => Math.floor((s.replay?.at ?? 0) / 1000), () => this.writeHashSoon());
  }

  /** Without WebGL2: the fleet as a list, and all that needs no map. */
  startWithoutMap(show: (fleet: Fleet, inAll: number) => void): void {
    this.showList = show;
    store.watch(s => s.track, track => track && show(this.fleet, store.get().status?.total ?? 0));
    this.connect(undefined);
    setInterval(() => void this.refreshTrack(), 2000);
    const link = parseHash(location.hash);
    if (link.vehicle) this.select(link.vehicle, false);
  }

  private async setBase(base: Base, keep: boolean): Promise<void> {
    const palette = store.get().dark ? DARK : LIGHT, {style, tiles} = this.urls;
    if (keep) localStorage.setItem('trackmesh-base', base);
    try {
      if (base === 'own') this.stage?.setBase(ownStyle(await loadBasemap(), palette), true);
      else if (base === 'style') this.stage?.setBase(style!, false);
      else this.stage?.setBase(await (await import('./map/tiles.ts')).tilesStyle(at(tiles!.replace(/^\//, '')).href, palette), false);
      store.set({base});
    } catch (problem) {
      store.set({base: 'own', eventsProblem: `The base map cannot be shown: ${problem instanceof Error ? problem.message : String(problem)}`});
    }
  }

  private bind(container: HTMLElement, stage: Stage): void {
    stage.map.on('moveend', () => {
      this.writeHash();
      this.tellView();
      this.session?.redraw();
    });
    stage.map.on('move', () => this.tellViewSoon());
    stage.map.on('dragstart', () => store.set({following: false}));
    stage.map.on('click', event => {
      if (store.get().draft) return; // the click draws
      const row = stage.pick(event.point.x, event.point.y);
      const cell = stage.pickCell(event.point.x, event.point.y);
      if (row !== undefined) this.select(stage.fleet.nameOf(row) ?? null, false);
      else if (cell) this.fit([longitude(cell.west), latitude(cell.south), longitude(cell.east), latitude(cell.north)]);
      else if (store.get().panel === 'fences') this.pickFence(stage, event.point.x, event.point.y);
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

  /** Looks at the smallest fence at a place. */
  private pickFence(stage: Stage, x: number, y: number): void {
    const size = (f: Fence) => {
      const box = Desk.boxOf(f);
      return box ? (box[2] - box[0]) * (box[3] - box[1]) : Infinity;
    };
    const ids = stage.fencesAt(x, y), [smallest] = store.get().fences.filter(f => ids.includes(f.id)).sort((a, b) => size(a) - size(b));
    this.desk.open(smallest?.id ?? null);
  }

  private connect(stage: Stage | undefined): void {
    this.stream = new EventStream({
      events: batch => this.take(batch),
      problem: detail => store.set({eventsProblem: detail}),
    });
    const url = at('api/v1/live');
    url.protocol = url.protocol.replace('http', 'ws');
    this.live = new LiveConnection(url.href, {
      connecting: () => store.set({phase: 'connecting'}),
      opened: () => {
        this.fleet.restart();
        store.set({phase: 'live', lostAt: 0});
        this.tellView();
        this.stream!.resume();
        void this.loadFences();
        void this.loadEvents();
        void this.loadTimeline();
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

  private show(stage: Stage | undefined, frame: Frame): void {
    if (frame.kind === 'dictionary') this.fleet.learn(frame);
    else if (!stage) {
      if (frame.kind === 'points') this.fleet.apply(frame, performance.now());
      this.showList(this.fleet, frame.inView);
    } else if (this.session) return; // the past is drawn
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
    if (!bounds) return this.live?.look({bbox: [-180, -90, 180, 90], look: 'points', limit: 1000});
    const lon = (v: number) => Math.max(-180, Math.min(180, v)), lat = (v: number) => Math.max(-90, Math.min(90, v));
    const bbox: [number, number, number, number] = [lon(bounds.getWest()), lat(bounds.getSouth()), lon(bounds.getEast()), lat(bounds.getNorth())];
    this.live?.look(this.session ? {bbox, look: 'points', limit: 1} : {bbox, look: store.get().look}); // a replay needs the counts only
  }

  private tellViewSoon(): void {
    if (this.lookTimer === 0) this.lookTimer = window.setTimeout(() => this.tellView(), 250);
  }

  private setLook(look: Look): void {
    store.set({look});
    this.writeHash();
    this.tellView();
    if (this.session) this.session.redraw();
    else if (look === 'heat' || look === 'points') this.stage?.redrawPoints(look === 'heat');
  }

  private setDark(dark: boolean, keep: boolean): void {
    if (keep) localStorage.setItem('trackmesh-theme', dark ? 'dark' : 'light');
    document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
    store.set({dark});
    this.stage?.setDark(dark);
    if (store.get().base === 'tiles') void this.setBase('tiles', false); // its colours are in its style
  }

  private select(vehicle: string | null, fly: boolean): void {
    if (vehicle !== store.get().selected) {
      store.set({selected: vehicle, following: false, track: null, trail: null, trackEvents: [], trackProblem: null, journeys: null, messageStatus: null});
      this.writeHash();
      if (vehicle !== null) void this.loadJourneys(vehicle);
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
    if (this.session) return this.refreshPast(vehicle, asking.signal);
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

  /** What is known of the chosen vehicle at the replay's time: its way so far, and what the player shows of it. */
  private async refreshPast(vehicle: string, signal: AbortSignal): Promise<void> {
    const at = store.get().replay!.at;
    const trail = await getTrail(vehicle, signal, at).catch(() => null);
    if (signal.aborted || !this.session || !this.stage) return;
    const {fleet} = this.stage, row = fleet.rowOf(vehicle);
    const trackEvents = store.get().pastEvents.filter(e => e.vehicle === vehicle && Date.parse(e['@timestamp']) <= at);
    if (row === undefined) return store.set({trail, trackEvents, track: null, trackProblem: 'This vehicle was not heard at this time.'});
    const speed = fleet.speedDms[row]!, x = fleet.fromX[row]!, y = fleet.fromY[row]!, before = store.get().track;
    const track: TrackState = {
      vehicle, time: new Date(at).toISOString(), position: [longitude(x), latitude(y)], speed_mps: speed === NO_SPEED ? null : speed / 10,
      heading_degrees: fleet.headingDegrees(row), status: fleet.stateOf(row), odometer_metres: null, fences: [], attributes: {},
      last_offset: before?.last_offset ?? {topic: '', partition: 0, offset: 0}, node: before?.node ?? '',
    };
    store.set({track, trail, trackEvents, trackProblem: null});
    if (this.flight === vehicle) this.fly(track.position, 13.5);
    this.flight = null;
  }

  private async loadFences(): Promise<void> {
    const fences = await getFences().catch(() => undefined);
    if (fences && JSON.stringify(fences) !== JSON.stringify(store.get().fences)) store.set({fences});
  }

  private async loadJourneys(vehicle: string): Promise<void> {
    const found = await getJourneys(vehicle).catch(() => null); // no history: no trips
    if (found && store.get().selected === vehicle) store.set({journeys: found});
  }

  private async message(body: object): Promise<void> {
    const vehicle = store.get().selected;
    if (vehicle === null) return;
    store.set({messageStatus: 'Sending …'});
    try {
      store.set({messageStatus: (await sendMessage(vehicle, body)) ? 'Done.' : 'Stored; it will be applied soon.'});
      void this.refreshTrack();
    } catch (problem) {
      store.set({messageStatus: problem instanceof Error ? problem.message : String(problem)});
    }
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
    const map = this.stage?.map;
    map?.easeTo({center: to, zoom: Math.max(zoom, map?.getZoom() ?? 0), duration: reduced.matches ? 0 : 700});
  }

  private fit([west, south, east, north]: [number, number, number, number]): void {
    this.stage?.map.fitBounds([[west, south], [east, north]], {padding: 40, maxZoom: 15, duration: reduced.matches ? 0 : 500});
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
    const {replay} = store.get();
    const hash = formatHash({zoom: map.getZoom(), lat, lon: lng, look, ...(selected === null ? {} : {vehicle: selected}), ...(replay ? {replay} : {})});
    if (hash !== location.hash) history.replaceState(null, '', hash || location.pathname);
  }

  private readHash(): void {
    const link = parseHash(location.hash);
    if (link.look && link.look !== store.get().look) this.setLook(link.look);
    if (link.lon !== undefined) this.stage?.map.jumpTo({center: [link.lon, link.lat!], zoom: link.zoom!});
    if ((link.vehicle ?? null) !== store.get().selected) this.select(link.vehicle ?? null, link.lon === undefined);
    if (link.replay) void this.openReplay(link.replay, false);
    else this.backToLive();
  }

  private writeHashSoon(): void {
    this.hashTimer ||= window.setTimeout(() => {
      this.hashTimer = 0;
      this.writeHash();
    }, 1000);
  }

  private async openReplay(window: NonNullable<Link['replay']>, play: boolean): Promise<void> {
    if (this.session) {
      this.session.window(window, window.at);
      if (window.speed !== store.get().replay?.speed) this.session.player.speed(window.speed);
    } else {
      const {Session} = await import('./replay/session.ts'), {stage} = this;
      if (!stage || this.session) return;
      this.session = new Session(stage, window, reduced.matches, event => this.light(event));
      this.tellView();
    }
    if (play) this.session.player.play(true);
    this.writeHash();
    void this.loadTimeline();
    void this.refreshTrack();
  }

  private seek(at: number): void {
    const {timeline, replay} = store.get(), to = timeline?.to ?? Date.now();
    if (this.session && replay && at >= replay.from && at <= replay.to) this.session.player.seek(at);
    else void this.openReplay({from: timeline ? Math.max(timeline.from, Math.min(at, to - 60_000)) : at, to, at, speed: replay?.speed ?? 10}, replay?.playing ?? true);
    void this.refreshTrack();
  }

  private play(): void {
    if (this.session) this.session.player.play(!store.get().replay!.playing);
    else {
      const to = Date.now(), {range} = store.get();
      void this.openReplay({from: to - range / 4, to, at: to - range / 4, speed: 10}, true);
    }
  }

  private backToLive(): void {
    if (!this.session) return;
    this.session.close();
    this.session = undefined;
    this.stage?.showPoints(store.get().look === 'heat');
    this.tellView();
    this.writeHash();
    void this.loadTimeline();
    void this.refreshTrack();
  }

  /** What the timeline shows: up to now; in a replay all of its window. */
  private async loadTimeline(): Promise<void> {
    const {replay, range, timeline, phase} = store.get(), now = Date.now();
    if (document.visibilityState === 'hidden' || phase === 'lost') return;
    if (replay && timeline && timeline.from <= replay.from && timeline.to >= replay.to) return;
    const to = replay ? Math.max(replay.to, Math.min(now, replay.from + range)) : now;
    const from = Math.min(to - range, replay?.from ?? to);
    try {
      const answer = await getTimeline(from, to, intervalOf(to - from, 180));
      if (store.get().range === range && (store.get().replay === null) === (replay === null)) store.set({timeline: answer, timelineProblem: null});
    } catch (problem) {
      if (problem instanceof ApiError) store.set({timelineProblem: problem.message});
    }
  }

  /** Goes to the next or the previous event of the feed. */
  step(by: 1 | -1): void {
    const events = visibleEvents(), at = events.findIndex(e => e.id === store.get().current);
    const event = events[at === -1 ? 0 : Math.max(0, Math.min(events.length - 1, at + by))];
    if (event) this.openEvent(event);
  }
}
