import {cellBox, cellText} from '../geohash.ts';
import {mercatorX, mercatorY, screenX, screenY, type View} from '../mercator.ts';
import type {CellsFrame} from '../wire/frame.ts';
import {contrast, rampAt, rgb, type Palette, type RGB} from './palette.ts';

/** A cell in the unit square. */
export interface Cell {
  id: string;
  count: number;
  west: number;
  north: number;
  east: number;
  south: number;
}

export function cellsOf(frame: CellsFrame): Cell[] {
  return Array.from(frame.counts, (count, i) => {
    const cell = frame.cells[i]!, box = cellBox(cell, frame.precision);
    return {
      id: cellText(cell, frame.precision), count, west: mercatorX(box.west), east: mercatorX(box.east),
      north: mercatorY(box.north), south: mercatorY(box.south),
    };
  });
}

/** Where a count stands between few (0) and the most (1), by its logarithm. */
export const rank = (count: number, most: number): number => (most <= 1 ? 0.5 : Math.log(count) / Math.log(most));

export function shortCount(count: number): string {
  if (count < 10_000) return String(count);
  return count < 1e6 ? `${Math.round(count / 1000)}k` : `${(count / 1e6).toFixed(1)}M`;
}

/** The text colour that can be read best on a cell. */
export function textColour(fill: Readonly<RGB>, palette: Palette): string {
  const [first, second] = palette.cellText;
  return contrast(rgb(first), fill) >= contrast(rgb(second), fill) ? first : second;
}

export function drawCells(paint: CanvasRenderingContext2D, cells: readonly Cell[], view: View, palette: Palette, font: string): void {
  const most = cells.reduce((top, cell) => Math.max(top, cell.count), 0);
  paint.textAlign = 'center';
  paint.textBaseline = 'middle';
  for (const cell of cells) {
    const left = Math.round(screenX(view, cell.west)) + 1, right = Math.round(screenX(view, cell.east)) - 1;
    const top = Math.round(screenY(view, cell.north)) + 1, bottom = Math.round(screenY(view, cell.south)) - 1;
    if (right < 0 || left > view.width || bottom < 0 || top > view.height) continue;
    const fill = rampAt(palette.ramp, rank(cell.count, most));
    paint.fillStyle = `rgb(${fill.join(' ')} / 0.88)`;
    paint.beginPath();
    paint.roundRect(left, top, Math.max(1, right - left), Math.max(1, bottom - top), Math.min(4, (right - left) / 6));
    paint.fill();
    drawCount(paint, cell.count, left, top, right, bottom, textColour(fill, palette), font);
  }
}

function drawCount(paint: CanvasRenderingContext2D, count: number, left: number, top: number, right: number, bottom: number, colour: string, font: string): void {
  const text = shortCount(count), width = right - left, height = bottom - top;
  const size = Math.min(15, height * 0.62, (width / text.length) * 1.35);
  if (size < 8) return;
  paint.font = `600 ${size}px ${font}`;
  paint.fillStyle = colour;
  paint.fillText(text, (left + right) / 2, (top + bottom) / 2 + 0.5);
}

export function cellAt(cells: readonly Cell[], view: View, x: number, y: number): Cell | undefined {
  const wx = (x - view.width / 2) / view.world + view.x, wy = (y - view.height / 2) / view.world + view.y;
  return cells.find(c => wx >= c.west && wx < c.east && wy >= c.north && wy < c.south);
}
