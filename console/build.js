// Builds the console into console/dist. With `--if-possible`, as `npm install` runs it, an
// installation without development packages goes on without.
const isOptional = process.argv.includes('--if-possible')

const vite = await import('vite').catch((error) => {
  if (!isOptional) throw error
})

if (vite) {
  try {
    await vite.build({ configFile: `${import.meta.dirname}/vite.config.js` })
  } catch (error) {
    if (!isOptional) throw error
    console.warn(`The console was not built: ${error.message}`)
  }
}
