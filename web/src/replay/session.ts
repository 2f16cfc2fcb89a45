import type {Stage} from '../map/stage.ts';
import {Fleet} from '../fleet.ts';
import {latitude, longitude} from '../mercator.ts';
import {store, type FleetEvent} from '../state.ts';
import {getPastEvents, getReplay} from '../wire/api.ts';
import {countCells, countIn, precisionFor} from './cells.ts';
import type {Span} from './plan.ts';
import {Player} from './player.ts';
import type {Scene} from './tape.ts';

/** As for live frames: cells above the first, points again below the second. */
const CELLS_ABOVE = 3000, POINTS_BELOW = 2400;
const MOST_POINTS = 50_000;

/** A replay that is open: joins the player to the stage and the store. */
export class Session {
  readonly player: Player;
  readonly fleet = new Fleet();
  private readonly live: Fleet;
  private readonly asking = new AbortController();
  private scene: Scene | undefined;
  private cells = false;

  constructor(private readonly stage: Stage, window: Span & {at: number; speed: number}, still: boolean, private readonly light: (event: FleetEvent) => void) {
    this.live = stage.fleet;
    stage.useFleet(this.fleet);
    this.player = new Player(getReplay, {
      scene: (scene, _at, movingMs) => this.show(scene, movingMs),
      changed: replay => store.set({replay}),
      passed: (from, to) => this.passed(from, to),
    }, window, {vehicles: store.get().status?.total ?? 0, tickMs: still ? 1000 : 250});
    void this.loadEvents(window);
  }

  close(): void {
    this.player.stop();
    this.asking.abort();
    this.stage.useFleet(this.live);
    store.set({replay: null, pastEvents: []});
  }

  window(span: Span, at?: number): void {
    this.player.window(span, at);
    void this.loadEvents(span);
  }

  /** Draws the same moment in the look that is chosen now, for the view of now. */
  redraw(): void {
    if (this.scene) this.draw(this.scene);
  }

  private show(scene: Scene, movingMs: number): void {
    this.fleet.play(scene, this.player.tape.names, performance.now(), movingMs);
    this.scene = scene;
    this.draw(scene);
  }

  private draw(scene: Scene): void {
    const {look} = store.get(), view = this.stage.view();
    const halfWidth = view.width / view.world / 2, halfHeight = view.height / view.world / 2;
    const [west, east, north, south] = [view.x - halfWidth, view.x + halfWidth, view.y - halfHeight, view.y + halfHeight];
    const inView = countIn(scene.count, scene.fromX, scene.fromY, west, north, east, south);
    this.cells = look === 'cells' || (look === 'auto' && inView > (this.cells ? POINTS_BELOW : CELLS_ABOVE));
    store.set({cut: !this.cells && inView > MOST_POINTS});
    if (!this.cells) return this.stage.showPoints(look === 'heat');
    const clamp = (v: number) => Math.max(0, Math.min(1, v));
    const precision = precisionFor(longitude(clamp(west)), latitude(clamp(south)), longitude(clamp(east)), latitude(clamp(north)));
    this.stage.showCounts(countCells(scene.count, scene.fromX, scene.fromY, precision));
  }

  private async loadEvents({from, to}: Span): Promise<void> {
    const events = await getPastEvents(from, to, this.asking.signal).catch(() => []);
    if (!this.asking.signal.aborted) store.set({pastEvents: events});
  }

  private passed(from: number, to: number): void {
    for (const event of store.get().pastEvents) {
      const at = Date.parse(event['@timestamp']);
      if (at > from && at <= to) this.light(event);
    }
  }
}
