/**
 * Whose code a function is: told by its file, its package and its module, as far as these say it.
 *
 * Python and Node.js keep what was installed in folders of their own, Go and Cargo name versions in the path. Java does not: there
 * well-known packages are those of others, and all else is one's own. Native code without files goes by its module.
 */
import { Kind, modulePath, type CallTree, type FrameTable } from './call-tree';

export const ORIGINS = ['own', 'dependency', 'standard', 'system'] as const;
export type Origin = (typeof ORIGINS)[number];

/** What ships with a language: its interpreter, its virtual machine, its library. */
const RUNTIME_FILE = /\/(?:lib(?:python|jvm|node|ruby|php)[^/]*|(?:python|node|java|ruby|php)[\d.]*)$/;
const PYTHON_LIBRARY = /\/lib\d*\/python\d/;
const INSTALLED = /^\/(?:usr\/(?!local\/(?:src|app))|lib\d*\/|s?bin\/|nix\/store\/|snap\/)/;
const JDK = /^(?:java|javax|jdk|sun|com\.sun|kotlin|scala|groovy\.lang)\./;
const JAVA_DEPENDENCY =
  /^(?:org\.(?:springframework|apache|hibernate|eclipse|jboss|slf4j|postgresql|h2|bouncycastle|reactivestreams|glassfish|jetbrains|mongodb|elasticsearch|junit|mockito)|io\.(?:netty|grpc|micrometer|opentelemetry|prometheus|lettuce|vertx|undertow|quarkus|micronaut|projectreactor|reactivex)|com\.(?:fasterxml|google|zaxxer|mysql|amazonaws|github|squareup|datastax|rabbitmq)|ch\.qos|reactor|redis\.clients|akka|okhttp3|net\.(?:bytebuddy|sf)|software\.amazon|jakarta)\./;

const GO_LIBRARY =
  /^(?:archive|bufio|builtin|bytes|cmp|compress|container|context|crypto|database|debug|embed|encoding|errors|expvar|flag|fmt|go|hash|html|image|index|internal|io|iter|log|maps|math|mime|net|os|path|plugin|reflect|regexp|runtime|slices|sort|strconv|strings|structs|sync|syscall|testing|text|time|type|unicode|unique|unsafe|weak)[./:]/;

/** `file` is the source file, empty if it is not known. */
export function originOf(kind: number, name: string, module: string, file: string): Origin {
  switch (kind) {
    case Kind.kernel:
    case Kind.vdso:
      return 'system';
    case Kind.runtime:
      return 'standard';
    case Kind.python:
      if (/\/(?:site|dist)-packages\//.test(file)) return 'dependency';
      return file === '' || PYTHON_LIBRARY.test(file) || file.startsWith('<frozen ') ? 'standard' : 'own';
    case Kind.javascript:
      if (/(?:^|\/)node_modules\//.test(file)) return 'dependency';
      return file === '' || /^(?:node:|internal\/)/.test(file) ? 'standard' : 'own';
    case Kind.java:
      if (JDK.test(name)) return 'standard';
      return JAVA_DEPENDENCY.test(name) ? 'dependency' : 'own';
    case Kind.go:
      return goOrigin(name, file);
    case Kind.jit:
      return 'own';
    default:
      return nativeOrigin(name, module, file);
  }
}

function goOrigin(name: string, file: string): Origin {
  if (/@v\d/.test(file)) return 'dependency';
  const path = name.split(/[[(]/)[0];
  if (path.startsWith('vendor/') || !path.includes('.') || GO_LIBRARY.test(path)) return 'standard';
  return /\/vendor\//.test(file) ? 'dependency' : 'own';
}

function nativeOrigin(name: string, module: string, file: string): Origin {
  if (/^\/rustc\/|\/library\/(?:core|std|alloc)\/|^library\/(?:core|std|alloc)\//.test(file)) return 'standard';
  if (/\/(?:registry\/src|git\/checkouts)\//.test(file)) return 'dependency';
  if (/^\/usr\/(?:include|lib\/gcc)\//.test(file)) return 'standard';
  if (/\/(?:site-packages|dist-packages|node_modules)\//.test(module)) return 'dependency';
  if (RUNTIME_FILE.test(module) || PYTHON_LIBRARY.test(module)) return 'standard';
  if (INSTALLED.test(module)) return 'system';
  return name.endsWith('@plt') || /^(?:<*&?(?:mut )?)(?:core|alloc|std)::|^__(?:libc|gmon|cxa)_|^_(?:start|init|fini)$/.test(name) ? 'standard' : 'own';
}

const cache = new WeakMap<FrameTable, Uint8Array>();

/** Per frame: index into `ORIGINS`. The file of a frame is that of its largest node. */
export function origins(tree: CallTree): Uint8Array {
  const { frames, nodes } = tree;
  let known = cache.get(frames);
  if (!known) {
    const largest = new Int32Array(frames.count).fill(-1);
    for (let i = 0; i < nodes.count; i++) {
      const held = largest[nodes.frame[i]];
      if (held < 0 || nodes.total[i] > nodes.total[held]) largest[nodes.frame[i]] = i;
    }
    known = new Uint8Array(frames.count);
    for (let frame = 0; frame < frames.count; frame++) {
      const place = largest[frame] < 0 ? 0 : nodes.place[largest[frame]];
      const file = frames.places[place - 1]?.file ?? '';
      known[frame] = ORIGINS.indexOf(originOf(frames.kind[frame], frames.name[frame], modulePath(frames, frame), file));
    }
    cache.set(frames, known);
  }
  return known;
}
