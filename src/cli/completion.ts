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
  readonly words: readonly Word[]
  /** Its argument is one. */
  readonly takesFile: boolean
}

/** A command or a flag. */
interface Word {
  readonly word: string
  readonly description: string
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
  const takesFile = command.registeredArguments.some((argument) => argument.name() === 'file')
  return [
    { path: path.join(' '), words, takesFile },
    ...commands
      .filter((child) => child.name() !== 'help')
      .flatMap((child) => listPlaces(child, [...path, child.name()])),
  ]
}

const isFlag = ({ word }: Word): boolean => word.startsWith('-')

/**
 * The words of a command line that are commands, as far as they are known ones. Flags are
 * offered once a dash is typed: before it files would drown in them.
 */
function writeBash(places: readonly Place[]): string {
  const cases = places.map(({ path, words, takesFile }) => {
    const list = (some: readonly Word[]) => `'${some.map(({ word }) => word).join(' ')}'`
    const commands = words.filter((word) => !isFlag(word))
    const file = takesFile ? " file='-f'" : ''
    return `    '${path}') words=${list(commands)} flags=${list(words.filter(isFlag))}${file} ;;`
  })
  return `# bash completion of millrace
_millrace() {
  local path='' next words='' flags='' file='' at current="\${COMP_WORDS[COMP_CWORD]}"
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
  if [[ $current == -* ]]; then words=$flags file=''; fi
  if [[ $file ]]; then compopt -o filenames 2>/dev/null; fi
  COMPREPLY=($(compgen $file -W "$words" -- "$current"))
}
complete -F _millrace millrace
`
}

function writeZsh(places: readonly Place[]): string {
  const cases = places.map(({ path, words, takesFile }) => {
    const items = words.map(
      ({ word, description }) => `'${word}:${toPlain(description).replaceAll(':', '\\:')}'`,
    )
    return `    '${path}') items=(${items.join(' ')})${takesFile ? ' file=1' : ''} ;;`
  })
  return `#compdef millrace
_millrace() {
  local where='' next at file=''
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
  if [[ -n $file && $PREFIX != -* ]]; then _files; else _describe 'millrace' items; fi
}
if [ "$funcstack[1]" = '_millrace' ]; then _millrace "$@"; else compdef _millrace millrace; fi
`
}

function writeFish(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, words, takesFile }) => {
    const at = `complete -c millrace -n "__millrace_at '${path}'"`
    const offers = words.map((each) => {
      const what = isFlag(each) ? `-l ${each.word.slice(2)}` : `-f -a ${each.word}`
      return `${at} ${what} -d '${toPlain(each.description)}'`
    })
    return takesFile ? [...offers, `${at} -F`] : offers
  })
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

/** What means nothing inside of single quotes. */
function toPlain(description: string): string {
  return description.replaceAll(/['\\]/g, ' ').replaceAll(/\s+/g, ' ').trim()
}
