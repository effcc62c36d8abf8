/** Numbers as people read them. */

const SI = ['', 'k', 'M', 'G', 'T', 'P'];

/** `1234567` → `1.23M`; below 10,000 in full. */
export function formatCount(value: number): string {
  if (Math.abs(value) < 10_000) return Number.isInteger(value) ? String(value) : value.toFixed(1);
  let scaled = value;
  let unit = 0;
  while (Math.abs(scaled) >= 1000 && unit < SI.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${significant(scaled)}${SI[unit]}`;
}

/** Cores: CPU seconds per second. */
export function formatCores(cores: number): string {
  if (cores === 0) return '0';
  if (cores < 0.0005) return '<0.001';
  return cores < 0.1 ? cores.toFixed(3) : cores < 10 ? cores.toFixed(2) : cores < 100 ? cores.toFixed(1) : Math.round(cores).toString();
}

/** A fraction of 1 as percent. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0) return '0 %';
  if (percent < 0.01) return '<0.01 %';
  return `${percent < 10 ? percent.toFixed(2) : percent.toFixed(1)} %`;
}

export function formatDuration(ns: number): string {
  if (ns === 0) return '0 s';
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${significant(ns / 1e3)} µs`;
  if (ns < 1e9) return `${significant(ns / 1e6)} ms`;
  if (ns < 60e9) return `${significant(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')} min`;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = bytes;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${unit === 0 ? scaled : significant(scaled)} ${units[unit]}`;
}

function significant(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

const pad = (n: number) => String(n).padStart(2, '0');

/** Local clock time; with the date where `withDate`. */
export function formatClock(ms: number, withDate: boolean): string {
  const d = new Date(ms);
  const clock = `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
  return withDate ? `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${clock}` : clock;
}

/** The last part of a path; bracketed pseudo names stay whole. */
export function baseName(path: string): string {
  if (path.startsWith('[')) return path;
  return path.slice(path.lastIndexOf('/') + 1) || path;
}
