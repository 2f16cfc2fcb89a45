import type {FeatureCollection, Position} from 'geojson';
import dataURL from '../data/basemap.json?url';

type Packed = number[];
interface Area {name: string; polygons: Packed[][]}
interface Outlines {boroughs: Area[]; region: Area[]; airports: (Area & {runways: Packed[]})[]}

export interface Basemap {
  region: FeatureCollection;
  boroughs: FeatureCollection;
  airports: FeatureCollection;
  runways: FeatureCollection;
}

export const ATTRIBUTION = 'Outlines: NYC Department of City Planning, US Census Bureau. Runways: OurAirports.';

/** Undoes what tools/basemap.mjs does to a ring: differences, in 1e-5 degrees. */
export function unpack(packed: Packed): Position[] {
  const points: Position[] = [];
  for (let i = 0, x = 0, y = 0; i < packed.length; i += 2) {
    x += packed[i]!;
    y += packed[i + 1]!;
    points.push([x / 1e5, y / 1e5]);
  }
  return points;
}

const areas = (list: Area[]): FeatureCollection => ({
  type: 'FeatureCollection',
  features: list.map(({name, polygons}) => ({
    type: 'Feature', properties: {name},
    geometry: {type: 'MultiPolygon', coordinates: polygons.map(rings => rings.map(unpack))},
  })),
});

export async function loadBasemap(): Promise<Basemap> {
  const answer = await fetch(dataURL);
  if (!answer.ok) throw new Error(`The base map could not be loaded (${answer.status}).`);
  const outlines = (await answer.json()) as Outlines;
  return {
    region: areas(outlines.region), boroughs: areas(outlines.boroughs), airports: areas(outlines.airports),
    runways: {
      type: 'FeatureCollection',
      features: outlines.airports.map(a => ({
        type: 'Feature', properties: {}, geometry: {type: 'MultiLineString', coordinates: a.runways.map(unpack)},
      })),
    },
  };
}
