import type { Command } from 'commander'

import { ConfigError } from '../config.ts'
import { printLine, type Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:

  source <(millrace completion bash)                                # in ~/.bashrc
  millrace completion zsh > "\${fpath[1]}/_millrace"
  millrace completion fish > ~/.config/fish/completions/millrace.fish
`

/** A command by its words, and what may follow it. */
interface Place {
  /** `sources put`; the program itself: empty. */
  readonly path: string
  readonly words: readonly { readonly word: string; readonly description: string }[]
}

const WRITERS: Record<string, (places: readonly Place[]) => string> = {
  bash: writeBash,
  zsh: writeZsh,
  fish: writeFish,
}

/** Scripts made of the commands themselves, so that they know all of them. */
export function addCompletionCommand(program: Command, terminal: Terminal): void {
  program
    .command('completion')
    .description('a script for your shell that completes commands and flags')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText('after', EXAMPLES)
    .action((shell: string) => {
      const write = Object.hasOwn(WRITERS, shell) ? WRITERS[shell] : undefined
      if (!write) throw new ConfigError([`There is completion for bash, zsh and fish only.`])
      printLine(terminal.stdout, write(listPlaces(program, [])).trimEnd())
    })
}

function listPlaces(command: Command, path: readonly string[]): Place[] {
  const help = command.createHelp()
  const commands = help.visibleCommands(command)
  const options = help.visibleOptions(command)
  const words = [
    ...commands.map((child) => ({ word: child.name(), description: child.description() })),
    ...options.flatMap((option) =>
      option.long ? [{ word: option.long, description: option.description }] : [],
    ),
  ]
  return [
    { path: path.join(' '), words },
    ...commands
      .filter((child) => child.name() !== 'help')
      .flatMap((child) => listPlaces(child, [...path, child.name()])),
  ]
}

/** The words of a command line that are commands, as far as they are known ones. */
function writeBash(places: readonly Place[]): string {
  const cases = places.map(
    ({ path, words }) => `    '${path}') words='${words.map(({ word }) => word).join(' ')}' ;;`,
  )
  return `# bash completion of millrace
_millrace() {
  local path='' next words='' at
  for ((at = 1; at < COMP_CWORD; at++)); do
    next="\${path:+$path }\${COMP_WORDS[at]}"
    case "$next" in
      ${listPaths(places)}) path=$next ;;
      *) break ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _millrace millrace
`
}

function writeZsh(places: readonly Place[]): string {
  const cases = places.map(({ path, words }) => {
    const items = words.map(({ word, description }) => `'${word}:${toPlain(description)}'`)
    return `    '${path}') items=(${items.join(' ')}) ;;`
  })
  return `#compdef millrace
_millrace() {
  local where='' next at
  local -a items
  for ((at = 2; at < CURRENT; at++)); do
    next="\${where:+$where }\${words[at]}"
    case "$next" in
      ${listPaths(places)}) where=$next ;;
      *) break ;;
    esac
  done
  case "$where" in
${cases.join('\n')}
  esac
  _describe 'millrace' items
}
if [ "$funcstack[1]" = '_millrace' ]; then _millrace "$@"; else compdef _millrace millrace; fi
`
}

function writeFish(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, words }) =>
    words.map(({ word, description }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`
      return `complete -c millrace -n "__millrace_at '${path}'" ${what} -d '${toPlain(description)}'`
    }),
  )
  const known = places.map(({ path }) => `'${path}'`).join(' ')
  return `# fish completion of millrace
function __millrace_at
  set -l path ''
  for word in (commandline -opc)[2..]
    set -l next (string trim -- "$path $word")
    contains -- "$next" ${known}; or break
    set path $next
  end
  test "$path" = "$argv[1]"
end
complete -c millrace -f
${lines.join('\n')}
`
}

function listPaths(places: readonly Place[]): string {
  return places
    .filter(({ path }) => path !== '')
    .map(({ path }) => `'${path}'`)
    .join(' | ')
}

/** What means nothing inside of single quotes, nor to zsh between word and description. */
function toPlain(description: string): string {
  return description.replaceAll(/['\\:]/g, ' ').replaceAll(/\s+/g, ' ')
}
