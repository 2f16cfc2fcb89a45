import {AttributionControl, Map as GLMap, setWorkerUrl, type StyleSpecification} from 'maplibre-gl';
import workerURL from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url';
import type {Geometry, Position} from 'geojson';
import {Fleet} from '../fleet.ts';
import {mercatorX, mercatorY, screenX, screenY, type View} from '../mercator.ts';
import type {CellsFrame} from '../wire/frame.ts';
import {cellAt, cellsOf, drawCells, type Cell} from './cells.ts';
import {fenceCollection} from './fences.ts';
import {HeatLayer} from './heat.ts';
import {drawLabels, drawLit, drawTrail} from './overlay.ts';
import {DARK, LIGHT, type Palette} from './palette.ts';
import {PickGrid} from './pick.ts';
import {placeOf, pointSize, PointsLayer} from './points.ts';
import {addFenceLayers, recolour} from './style.ts';
import type {Fence} from '../state.ts';

export type Drawn = 'points' | 'cells' | 'heat';
export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const LIT_MS = 3000, LONGEST_LOAD_MS = 8000;

export interface StageOptions {
  container: HTMLElement;
  style: StyleSpecification | string;
  own: boolean;
  centre: [number, number];
  zoom: number;
  dark: boolean;
  still: boolean;
}

/**
 * The map and what is drawn over it: MapLibre below, a 2D canvas (cells, trail, lit fences, names) and a WebGL2 canvas (vehicles) above.
 * MapLibre paints when the view changes and never for an animation.
 */
export class Stage {
  readonly map: GLMap;
  /** What is drawn: the fleet that the node sends, or that of a replay. */
  fleet = new Fleet();
  cells: Cell[] = [];
  drawn: Drawn = 'points';
  private points: PointsLayer;
  private heat: HeatLayer;
  private readonly gl: WebGL2RenderingContext;
  private readonly paint: CanvasRenderingContext2D;
  private readonly grid = new PickGrid();
  private gridAt = -Infinity;
  private palette: Palette;
  private flatDirty = true;
  /** The base map is there: until then its loading has the machine to itself, frames are drawn as they come. */
  private ready = false;
  private pending = 0;
  private readonly lit = new Map<string, {geometry: Geometry; until: number}>();
  private fences: readonly Fence[] = [];
  private credits: AttributionControl | undefined;
  private marked: Geometry | undefined;
  private trail: {vehicle: string; line: Position[]} | undefined;
  private readonly watchers: (() => void)[] = [];

  constructor(private readonly options: StageOptions) {
    setWorkerUrl(workerURL);
    this.palette = options.dark ? DARK : LIGHT;
    this.fleet.still = options.still;
    this.map = new GLMap({
      container: options.container, style: options.style, center: options.centre, zoom: options.zoom, minZoom: 2, maxZoom: 19,
      attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false,
      rollEnabled: false, renderWorldCopies: false, fadeDuration: 0, maxPitch: 0,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    const flat = this.canvas('flat'), moving = this.canvas('vehicles');
    this.paint = flat.getContext('2d')!;
    const gl = moving.getContext('webgl2', {antialias: false, premultipliedAlpha: true, alpha: true});
    if (!gl) throw new Error('no WebGL2');
    this.gl = gl;
    this.points = new PointsLayer(gl);
    this.heat = new HeatLayer(gl);
    moving.addEventListener('webglcontextlost', event => event.preventDefault());
    moving.addEventListener('webglcontextrestored', () => this.restore());
    this.map.on('move', () => this.moved());
    this.map.on('resize', () => this.resize());
    this.map.once('load', () => this.begin());
    setTimeout(() => this.begin(), LONGEST_LOAD_MS);
    this.resize();
  }

  private canvas(name: string): HTMLCanvasElement {
    const canvas = document.createElement('canvas');
    canvas.className = `layer layer-${name}`;
    canvas.setAttribute('aria-hidden', 'true');
    this.map.getCanvasContainer().append(canvas);
    return canvas;
  }

  private begin(): void {
    this.ready = true;
    this.schedule();
  }

  /** Calls back after every drawing. */
  onDraw(watcher: () => void): void {
    this.watchers.push(watcher);
  }

  view(): View {
    const centre = this.map.getCenter(), zoom = this.map.getZoom(), {clientWidth, clientHeight} = this.options.container;
    return {x: mercatorX(centre.lng), y: mercatorY(centre.lat), world: 512 * 2 ** zoom, width: clientWidth, height: clientHeight, zoom};
  }

  private get ratio(): number {
    return Math.min(2, devicePixelRatio);
  }

  private resize(): void {
    const {clientWidth, clientHeight} = this.options.container;
    for (const canvas of [this.gl.canvas as HTMLCanvasElement, this.paint.canvas]) {
      canvas.width = Math.round(clientWidth * this.ratio);
      canvas.height = Math.round(clientHeight * this.ratio);
    }
    this.gl.viewport(0, 0, this.gl.drawingBufferWidth, this.gl.drawingBufferHeight);
    this.moved();
  }

  private moved(): void {
    this.flatDirty = true;
    this.gridAt = -Infinity;
    this.draw();
  }

  showPoints(heat: boolean): void {
    this.drawn = heat ? 'heat' : 'points';
    this.cells = [];
    this.points.upload(this.fleet, this.view(), performance.now());
    if (heat) this.heat.upload(this.fleet, this.view());
    this.gridAt = -Infinity;
    this.invalidate();
  }

  /** Changes between the two drawings of what is there, before the node's next frame. */
  redrawPoints(heat: boolean): void {
    if (this.drawn !== 'cells') this.showPoints(heat);
  }

  /** The browser took the graphics away, as after a sleep, and gave them back empty. */
  private restore(): void {
    this.points = new PointsLayer(this.gl);
    this.heat = new HeatLayer(this.gl);
    this.resize();
    if (this.drawn !== 'cells') this.showPoints(this.drawn === 'heat');
  }

  showCells(frame: CellsFrame): void {
    this.fleet.clear();
    this.showCounts(cellsOf(frame));
  }

  showCounts(cells: Cell[]): void {
    this.drawn = 'cells';
    this.cells = cells;
    this.invalidate();
  }

  showTrail(vehicle: string | null, line: Position[]): void {
    this.trail = vehicle === null ? undefined : {vehicle, line};
    this.invalidate();
  }

  showFences(fences: readonly Fence[]): void {
    this.fences = fences;
    const apply = () => {
      const source = this.map.getSource('fences') as {setData?(data: unknown): void} | undefined;
      source?.setData?.(fenceCollection(fences));
    };
    if (this.map.getSource('fences')) apply();
    else this.map.once('styledata', apply);
  }

  /** Lights a fence for a few seconds. */
  light(id: string, geometry: Geometry): void {
    this.lit.set(id, {geometry, until: performance.now() + LIT_MS});
    setTimeout(() => {
      const lit = this.lit.get(id);
      if (lit && lit.until <= performance.now() + 5) this.lit.delete(id);
      this.invalidate();
    }, LIT_MS);
    this.invalidate();
  }

  /** Keeps a shape lit; undefined: none. */
  mark(geometry: Geometry | undefined): void {
    this.marked = geometry;
    this.invalidate();
  }

  get fenceColour(): string {
    return this.palette.fence;
  }

  /** The ids of the fences at a place on the screen. */
  fencesAt(x: number, y: number): string[] {
    const layers = ['fence-fill', 'fence-line'].filter(id => this.map.getLayer(id));
    return this.map.queryRenderedFeatures([x, y], {layers}).map(f => String(f.properties['id']));
  }

  litFences(): string[] {
    return [...this.lit.keys()];
  }

  /** Nothing is under way: the map is drawn, and no vehicle is on its way to its newest position. */
  isIdle(): boolean {
    return this.map.loaded() && !this.map.isMoving() && this.pending === 0 && !this.fleet.movesAt(performance.now());
  }

  /** Changes what lies below; what is ours comes back over it. */
  setBase(style: StyleSpecification | string, own: boolean): void {
    this.options.own = own;
    if (this.credits) this.map.removeControl(this.credits);
    this.credits = own ? undefined : new AttributionControl({compact: false});
    if (this.credits) this.map.addControl(this.credits);
    this.map.once('style.load', () => {
      addFenceLayers(this.map, this.palette);
      this.showFences(this.fences);
    });
    this.map.setStyle(style, {diff: false});
    this.invalidate();
  }

  setDark(dark: boolean): void {
    this.palette = dark ? DARK : LIGHT;
    if (this.map.getSource('fences')) recolour(this.map, this.palette);
    else this.map.once('load', () => recolour(this.map, this.palette));
    this.invalidate();
  }

  /** Draws another fleet from the next frame on; what is drawn stays until then. */
  useFleet(fleet: Fleet): void {
    fleet.still = this.fleet.still;
    this.fleet = fleet;
    this.cells = [];
    this.gridAt = -Infinity;
  }

  setStill(still: boolean): void {
    this.fleet.still = still;
  }

  /** Draws soon; what does not move is drawn anew too. */
  invalidate(): void {
    this.flatDirty = true;
    this.schedule();
  }

  private schedule(): void {
    if (this.pending !== 0) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.draw();
    });
  }

  private draw(): void {
    const view = this.view(), now = performance.now();
    const following = this.trail !== undefined && this.drawn === 'points' && this.fleet.rowOf(this.trail.vehicle) !== undefined;
    if (this.flatDirty || following) this.drawFlat(view, now);
    this.flatDirty = false;
    this.drawVehicles(view, now);
    for (const tell of this.watchers) tell();
    if (this.ready && this.drawn === 'points' && this.fleet.movesAt(now)) this.schedule();
  }

  private drawFlat(view: View, now: number): void {
    const {paint, palette} = this;
    paint.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    paint.clearRect(0, 0, view.width, view.height);
    if (this.marked) drawLit(paint, view, this.marked, palette);
    for (const {geometry} of this.lit.values()) drawLit(paint, view, geometry, palette);
    if (this.drawn === 'cells') drawCells(paint, this.cells, view, palette, FONT);
    if (this.options.own && this.drawn !== 'cells') drawLabels(paint, view, palette, FONT);
    if (!this.trail) return;
    const row = this.drawn === 'points' ? this.fleet.rowOf(this.trail.vehicle) : undefined;
    drawTrail(paint, view, this.trail.line, row === undefined ? undefined : placeOf(this.fleet, view, row, now), palette);
  }

  private drawVehicles(view: View, now: number): void {
    const {gl} = this;
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (this.drawn === 'points') this.points.draw(view, this.palette, this.ratio, now);
    if (this.drawn === 'heat') this.heat.draw(view, this.palette, this.ratio);
  }

  /** The vehicle at a place on the screen. */
  pick(x: number, y: number): number | undefined {
    if (this.drawn !== 'points') return undefined;
    const now = performance.now(), view = this.view();
    if (now - this.gridAt > 250) {
      this.grid.fill(this.fleet.count, view.width, row => placeOf(this.fleet, view, row, now));
      this.gridAt = now;
    }
    return this.grid.nearest(x, y, Math.max(12, pointSize(view.zoom) / 2 + 3));
  }

  pickCell(x: number, y: number): Cell | undefined {
    return this.drawn === 'cells' ? cellAt(this.cells, this.view(), x, y) : undefined;
  }

  /** Where a place is, in pixels. */
  screen([lon, lat]: readonly [number, number]): [number, number] {
    const view = this.view();
    return [screenX(view, mercatorX(lon)), screenY(view, mercatorY(lat))];
  }

  /** Where a vehicle is drawn, in pixels; undefined when it is not among the points. */
  placeOf(vehicle: string): [number, number] | undefined {
    const row = this.drawn === 'points' ? this.fleet.rowOf(vehicle) : undefined;
    return row === undefined ? undefined : placeOf(this.fleet, this.view(), row, performance.now());
  }

  /** The colour that a place of a canvas has now, for tests: red, green, blue, alpha. */
  colourAt(layer: 'vehicles' | 'flat', x: number, y: number): number[] {
    const px = Math.round(x * this.ratio), py = Math.round(y * this.ratio);
    if (layer === 'flat') return [...this.paint.getImageData(px, py, 1, 1).data];
    this.drawVehicles(this.view(), performance.now());
    const pixel = new Uint8Array(4);
    this.gl.readPixels(px, this.gl.drawingBufferHeight - 1 - py, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, pixel);
    return [...pixel];
  }
}
