/** A link that stays in the page; with a modifier key it is a plain link, so new tabs work. */
import type { ComponentChildren } from 'preact';

interface LinkProps {
  href: string;
  class?: string;
  title?: string;
  children: ComponentChildren;
  onFollow(): void;
}

export function Link({ onFollow, children, ...attributes }: LinkProps) {
  const onClick = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    onFollow();
  };
  return <a {...attributes} onClick={onClick}>{children}</a>;
}
