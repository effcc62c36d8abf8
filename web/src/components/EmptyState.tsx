/** Nothing to show, and why. */
import type { ComponentChildren } from 'preact';

export function EmptyState({ title, text, children }: { title: string; text: string; children?: ComponentChildren }) {
  return (
    <div class="empty" role="status">
      <h3>{title}</h3>
      <p>{text}</p>
      {children}
    </div>
  );
}
