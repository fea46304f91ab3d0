// The keyboard, and a presenter's clicker, which types PageDown and PageUp.

const TYPED_INTO = "input:not([type=checkbox], [type=radio], [type=range])";

/**
 * @param {Record<string, () => void>} letters what each does; a reader may switch them off (WCAG 2.1.4)
 * @param {Record<string, () => void>} others by `KeyboardEvent.key`; they always work
 * @param {() => boolean} on whether the letters do anything
 */
export function listen(letters, others, on) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const typed = event.target.matches(TYPED_INTO);
    // On a slider these keys move it.
    const slides = event.key.startsWith("Page") && event.target.matches("input[type=range]");
    if (others[event.key] && !slides) {
      event.preventDefault();
      others[event.key]();
    } else if (on() && !typed) {
      letters[event.key.toLowerCase()]?.();
    }
  });
}
