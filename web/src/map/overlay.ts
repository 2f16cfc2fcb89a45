import type {Geometry, Position} from 'geojson';
import {mercatorX, mercatorY, screenX, screenY, type View} from '../mercator.ts';
import {lines} from './fences.ts';
import type {Palette} from './palette.ts';
import {PLACES, type PlaceKind} from './places.ts';

function trace(paint: CanvasRenderingContext2D, view: View, line: readonly Position[]): void {
  line.forEach(([lon, lat], i) => {
    const x = screenX(view, mercatorX(lon!)), y = screenY(view, mercatorY(lat!));
    if (i === 0) paint.moveTo(x, y);
    else paint.lineTo(x, y);
  });
}

interface Lettering {weight: number; size: number; spacing: number; upper: boolean; italic: boolean; until: number}

const LETTERING: Record<PlaceKind, Lettering> = {
  borough: {weight: 600, size: 12, spacing: 1.6, upper: true, italic: false, until: 13.2},
  county: {weight: 500, size: 11, spacing: 0.4, upper: false, italic: false, until: 15},
  water: {weight: 400, size: 11, spacing: 0.6, upper: false, italic: true, until: 15},
  airport: {weight: 600, size: 11, spacing: 0.2, upper: false, italic: false, until: 17},
  place: {weight: 500, size: 11, spacing: 0.2, upper: false, italic: false, until: 17},
};

/** The names of the base map; one that would lie on another is left out. */
export function drawLabels(paint: CanvasRenderingContext2D, view: View, palette: Palette, font: string): void {
  const taken: (readonly [left: number, top: number, right: number, bottom: number])[] = [];
  paint.textAlign = 'center';
  paint.textBaseline = 'middle';
  paint.lineJoin = 'round';
  paint.lineWidth = 3;
  for (const [kind, name, lon, lat, from] of PLACES) {
    const l = LETTERING[kind];
    if (view.zoom < from || view.zoom >= l.until) continue;
    const x = screenX(view, mercatorX(lon)), y = screenY(view, mercatorY(lat));
    if (x < -80 || y < -20 || x > view.width + 80 || y > view.height + 20) continue;
    paint.font = `${l.italic ? 'italic ' : ''}${l.weight} ${l.size}px ${font}`;
    paint.letterSpacing = `${l.spacing}px`;
    const text = l.upper ? name.toUpperCase() : name, half = paint.measureText(text).width / 2 + 6;
    const box = [x - half, y - l.size, x + half, y + l.size] as const;
    if (taken.some(t => box[0] < t[2] && box[2] > t[0] && box[1] < t[3] && box[3] > t[1])) continue;
    taken.push(box);
    paint.strokeStyle = kind === 'water' ? palette.water : palette.labelHalo;
    paint.fillStyle = kind === 'water' ? palette.waterLabel : palette.label;
    paint.strokeText(text, x, y);
    paint.fillText(text, x, y);
  }
  paint.letterSpacing = '0px';
}

/** The part of the screen that a geometry's box covers. */
function coverage(view: View, geometry: Geometry): number {
  let west = Infinity, east = -Infinity, north = Infinity, south = -Infinity;
  for (const [lon, lat] of lines(geometry).flat()) {
    const x = Math.max(0, Math.min(view.width, screenX(view, mercatorX(lon!)))), y = Math.max(0, Math.min(view.height, screenY(view, mercatorY(lat!))));
    west = Math.min(west, x);
    east = Math.max(east, x);
    north = Math.min(north, y);
    south = Math.max(south, y);
  }
  return east > west ? ((east - west) * (south - north)) / (view.width * view.height) : 0;
}

/** A fence that an event has just hit: the larger it is on the screen the fainter, so that a borough does not light up the whole map. */
export function drawLit(paint: CanvasRenderingContext2D, view: View, geometry: Geometry, palette: Palette): void {
  paint.beginPath();
  for (const line of lines(geometry)) trace(paint, view, line);
  paint.lineJoin = 'round';
  paint.strokeStyle = palette.lit;
  paint.fillStyle = palette.lit;
  const strength = Math.max(0, 1 - coverage(view, geometry) / 0.12);
  if (strength > 0 && (geometry.type === 'Polygon' || geometry.type === 'MultiPolygon')) {
    paint.globalAlpha = 0.25 * strength;
    paint.fill('evenodd');
  }
  paint.globalAlpha = 0.5 + 0.5 * strength;
  paint.lineWidth = 1.4 + strength;
  paint.stroke();
  paint.globalAlpha = 1;
}

/** The way that a vehicle took, up to where it is drawn: fading towards the past. */
export function drawTrail(paint: CanvasRenderingContext2D, view: View, line: readonly Position[], head: readonly [number, number] | undefined, palette: Palette): void {
  if (line.length < 2) return;
  paint.lineJoin = paint.lineCap = 'round';
  const points = line.map(([lon, lat]) => [screenX(view, mercatorX(lon!)), screenY(view, mercatorY(lat!))] as [number, number]);
  if (head) points.splice(points.length - 1, 1, [head[0], head[1]]);
  const stroke = (from: number, width: number, colour: string, alpha: number) => {
    paint.beginPath();
    points.slice(from).forEach(([x, y], i) => (i === 0 ? paint.moveTo(x, y) : paint.lineTo(x, y)));
    paint.lineWidth = width;
    paint.strokeStyle = colour;
    paint.globalAlpha = alpha;
    paint.stroke();
  };
  stroke(0, 6, palette.outline, 0.7);
  stroke(0, 3, palette.trail, 0.45);
  stroke(Math.floor(points.length * 0.6), 3, palette.trail, 0.6);
  paint.globalAlpha = 1;
}
