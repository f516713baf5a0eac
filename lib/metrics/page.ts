/** Slots are kept in pages of this many, so that growing never moves a slot that someone holds. */
export const PAGE_SLOTS = 1024

/** Memory that all threads can read. */
export function newPage(): SharedArrayBuffer {
  return new SharedArrayBuffer(PAGE_SLOTS * Float64Array.BYTES_PER_ELEMENT)
}

const views = new WeakMap<SharedArrayBuffer, Float64Array>()

/** The one view that all metrics of a page look through. */
export function slotsOfPage(page: SharedArrayBuffer): Float64Array {
  let view = views.get(page)
  if (view === undefined) {
    view = new Float64Array(page)
    views.set(page, view)
  }
  return view
}
