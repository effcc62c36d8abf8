/** The class of a frame: what decides its colour and its legend entry. One class per frame. */
import { Flag, Kind, type FrameTable } from './call-tree';

export const FrameClass = {
  native: 0,
  kernel: 1,
  go: 2,
  jit: 3,
  runtime: 4,
  inlined: 5,
  unnamed: 6,
  truncated: 7,
  event: 8,
  group: 9,
  python: 10,
  java: 11,
  javascript: 12,
} as const;

export type FrameClassName = keyof typeof FrameClass;
export type FrameClass = (typeof FrameClass)[FrameClassName];

export const FRAME_CLASS_NAMES = Object.keys(FrameClass) as FrameClassName[];

/** Classes whose frames can be folded into their caller. What says that a stack is incomplete or guessed always stays. */
export const FOLDABLE: readonly FrameClassName[] = ['native', 'kernel', 'go', 'jit', 'python', 'java', 'javascript', 'runtime', 'inlined', 'unnamed'];

/** An interpreter's own frames, and the stubs of a virtual machine: their time is that of the functions that they run. */
export const FOLDED_AT_FIRST: FrameClassName[] = ['runtime'];

export function frameClass(kind: number, flags: number): FrameClass {
  if (kind === Kind.truncated) return FrameClass.truncated;
  if (kind === Kind.group) return FrameClass.group;
  if (kind === Kind.event) return FrameClass.event;
  // An interpreter's loop is one wherever its own code was inlined, and if nothing names it.
  if (kind === Kind.runtime) return FrameClass.runtime;
  if (flags & Flag.unnamed) return FrameClass.unnamed;
  if (flags & Flag.inlined) return FrameClass.inlined;
  switch (kind) {
    case Kind.kernel:
    case Kind.vdso:
      return FrameClass.kernel;
    case Kind.go:
      return FrameClass.go;
    case Kind.jit:
      return FrameClass.jit;
    case Kind.python:
      return FrameClass.python;
    case Kind.java:
      return FrameClass.java;
    case Kind.javascript:
      return FrameClass.javascript;
    default:
      return FrameClass.native;
  }
}

const cache = new WeakMap<FrameTable, Uint8Array>();

export function frameClasses(frames: FrameTable): Uint8Array {
  let classes = cache.get(frames);
  if (!classes) {
    classes = new Uint8Array(frames.count);
    for (let i = 0; i < frames.count; i++) classes[i] = frameClass(frames.kind[i], frames.flags[i]);
    cache.set(frames, classes);
  }
  return classes;
}
