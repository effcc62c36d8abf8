/** Kernel, native, Go …: how the samples of a service divide. */
import { classColour } from '../flamegraph/palette';
import { t, type MessageKey } from '../i18n';
import { Kind } from '../model/call-tree';
import { formatShare } from '../model/format';
import { FRAME_CLASS_NAMES, frameClass, type FrameClassName } from '../model/frame-class';
import { useSettings } from './settings';

/** Kinds come by their API names; one this version does not know counts as native. */
function classOf(kind: string): FrameClassName {
  return FRAME_CLASS_NAMES[frameClass(Kind[kind as keyof typeof Kind] ?? Kind.native, 0)];
}

export function kindShares(kinds: Record<string, number>): [FrameClassName, number][] {
  const sums = new Map<FrameClassName, number>();
  let total = 0;
  for (const [kind, value] of Object.entries(kinds)) {
    if (value <= 0) continue;
    sums.set(classOf(kind), (sums.get(classOf(kind)) ?? 0) + value);
    total += value;
  }
  return [...sums].map(([name, value]): [FrameClassName, number] => [name, value / total]).sort((a, b) => b[1] - a[1]);
}

export function KindBar({ kinds }: { kinds: Record<string, number> }) {
  const { theme } = useSettings();
  const shares = kindShares(kinds);
  const text = shares.map(([name, share]) => `${t(`class.${name}` as MessageKey)} ${formatShare(share)}`).join(' · ');
  return (
    <div class="kind-bar" role="img" aria-label={text} title={text}>
      {shares.map(([name, share]) => (
        <span key={name} style={{ width: `${share * 100}%`, background: classColour(name, theme) }} />
      ))}
    </div>
  );
}
