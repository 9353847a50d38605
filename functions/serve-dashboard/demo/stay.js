/** The booking form: the price while it is filled in, and the event with its revenue when it is sent. */

// Calls are kept until the tracker is there (docs/tracker.md "Calls").
window.footfall ??= Object.assign((...call) => window.footfall.q.push(call), { q: [] })

const form = document.getElementById('booking')
const field = (id) => document.getElementById(id)
const priceCents = 3_800

const total = () => ((Number(field('nights').value) * Number(field('beds').value) * priceCents) / 100).toFixed(2)

form.addEventListener('input', () => {
  field('sum').value = total()
})

form.addEventListener('submit', () => {
  window.footfall('booking', {
    props: { hut: field('hut').value, nights: Number(field('nights').value) },
    revenue: { amount: total(), currency: 'EUR' },
  })
})
