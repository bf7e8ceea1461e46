import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

import { describe, expect, test } from 'vitest'

import { CHECKOUT, listDocuments, readDocument } from './documents.ts'

/** Without code, in which brackets mean something else. */
function stripCode(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, '').replaceAll(/`[^`\n]*`/g, '')
}

/** As GitHub names them. */
function listAnchors(text: string): Set<string> {
  const headings = text.replaceAll(/^```.*?^```$/gms, '').matchAll(/^#+ (.*)$/gm)
  return new Set(
    [...headings].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

async function findBroken(document: string): Promise<string[]> {
  const text = await readDocument(document)
  const broken: string[] = []
  for (const [, target = ''] of stripCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue
    const [path = '', anchor] = target.split('#')
    const file =
      path === '' ? document : relative(CHECKOUT, join(CHECKOUT, dirname(document), path))
    const isThere = existsSync(join(CHECKOUT, file))
    const isKnown = anchor === undefined || listAnchors(await readDocument(file)).has(anchor)
    if (!isThere || !isKnown) broken.push(target)
  }
  // Tests and sources that are named as evidence.
  for (const [, path = ''] of text.matchAll(
    /`((?:test|src|sdk|bench|examples|docs)\/[\w./-]+)`/g,
  )) {
    if (!existsSync(join(CHECKOUT, path))) broken.push(path)
  }
  return broken
}

describe('the documents', () => {
  test('link only to what is there', async () => {
    const documents = await listDocuments()
    expect(documents).toContain('docs/README.md')
    for (const document of documents) {
      expect([document, await findBroken(document)]).toEqual([document, []])
    }
  })

  test('are all found from the index', async () => {
    const index = await readDocument('docs/README.md')
    const documents = await listDocuments()
    const missing = documents.filter(
      (path) => /^docs\/[^/]+\.md$/.test(path) && !index.includes(`(${path.slice(5)})`),
    )

    expect(missing.filter((path) => path !== 'docs/README.md')).toEqual([])
  })
})

describe('the comparison', () => {
  test('has a source for each number, and no source that nothing is said of', async () => {
    const [text = '', sources = ''] = (await readDocument('docs/comparison.md')).split(
      '\n## Sources\n',
    )
    const cited = [...text.matchAll(/\[(\d+)\](?!\()/g)].map(([, number]) => Number(number))
    const listed = [...sources.matchAll(/^(\d+)\. .*(?:https:|\]\()/gm)].map(([, n]) => Number(n))

    expect(listed).toEqual(listed.map((_, index) => index + 1))
    expect([...new Set(cited)].toSorted((a, b) => a - b)).toEqual(listed)
  })
})
