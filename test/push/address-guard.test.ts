import { describe, expect, test } from 'vitest'

import { createAddressGuard } from '../../src/push/address-guard.ts'
import { refuseUrl } from '../../src/push/guarded-connect.ts'

/** As an attacker would write them into a webhook's URL. */
const REFUSED_HOSTS = [
  '127.0.0.1',
  '127.1',
  '127.255.255.254',
  '2130706433',
  '0x7f000001',
  '0x7f.1',
  '0177.0.0.1',
  '017700000001',
  '①②⑦.⓪.⓪.①',
  '0',
  '0.0.0.0',
  '10.0.0.1',
  '100.64.0.1',
  '100.100.100.200',
  '168.63.129.16',
  '169.254.169.254',
  '0xa9fea9fe',
  '2852039166',
  '0251.0376.0251.0376',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '192.0.0.192',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '[::]',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::ffff:a9fe:a9fe]',
  '[0:0:0:0:0:ffff:10.0.0.1]',
  '[::127.0.0.1]',
  '[::7f00:1]',
  '[::ffff:0:127.0.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[64:ff9b::a00:1]',
  '[64:ff9b:1::1]',
  '[2002:7f00:1::]',
  '[2002:a9fe:a9fe::1]',
  '[2001::1]',
  '[100::1]',
  '[100:0:0:1::1]',
  '[fc00::1]',
  '[fd00:ec2::254]',
  '[fe80::1]',
  '[fec0::1]',
  '[ff02::1]',
  '[2001:db8::1]',
]

const PASSED_HOSTS = [
  '8.8.8.8',
  '172.32.0.1',
  '100.128.0.1',
  '192.167.255.255',
  '[2606:4700::1111]',
  '[::ffff:8.8.8.8]',
  '[64:ff9b::8.8.8.8]',
]

describe('the address guard', () => {
  const guard = createAddressGuard()

  test.each(REFUSED_HOSTS)('refuses %s', (host) => {
    const refused = refuseUrl(new URL(`https://${host}/hook`), { guard, allowHttp: false })
    expect(refused).toMatch(/^the address .+ is .+ and not in MILLRACE_PUSH_ALLOW$/)
  })

  test.each(PASSED_HOSTS)('lets %s pass', (host) => {
    expect(refuseUrl(new URL(`https://${host}/hook`), { guard, allowHttp: false })).toBeUndefined()
  })

  test('refuses an address with a zone', () => {
    expect(guard.refuse('fe80::1%eth0')).toContain('link-local')
  })

  test('refuses what is no address', () => {
    expect(guard.refuse('example.com')).toBe('"example.com" is not an IP address')
  })

  test('lets pass what the operator allows, in whatever form it is written', () => {
    const allowing = createAddressGuard(['127.0.0.0/8', 'fd00::/8', '192.168.7.7'])
    expect(allowing.refuse('127.0.0.1')).toBeUndefined()
    expect(allowing.refuse('::ffff:127.0.0.1')).toBeUndefined()
    expect(allowing.refuse('fd12::1')).toBeUndefined()
    expect(allowing.refuse('192.168.7.7')).toBeUndefined()
    expect(allowing.refuse('192.168.7.8')).toContain('private')
    expect(allowing.refuse('::1')).toContain('loopback')
  })

  test.each(['10.0.0.0/33', 'fd00::/129', 'ten', '10.0.0.0/', '10.0.0.0/-1', 'localhost/8'])(
    'does not start with the range %s',
    (range) => {
      expect(() => createAddressGuard([range])).toThrow(`"${range}" is not a CIDR range`)
    },
  )
})

describe('a URL', () => {
  const guard = createAddressGuard(['127.0.0.0/8'])

  test('is plain http only inside the allowed ranges', () => {
    expect(refuseUrl(new URL('http://127.0.0.1/'), { guard, allowHttp: false })).toBeUndefined()
    expect(refuseUrl(new URL('http://8.8.8.8/'), { guard, allowHttp: false })).toMatch(/use https$/)
    expect(refuseUrl(new URL('http://8.8.8.8/'), { guard, allowHttp: true })).toBeUndefined()
  })

  test.each([
    ['ftp://8.8.8.8/', /begins with ftp:/],
    ['file:///etc/passwd', /begins with file:/],
    ['https://user:pass@8.8.8.8/', /user name or password/],
    ['https://127.0.0.1@10.0.0.1/', /user name or password/],
  ])('%s is refused', (url, reason) => {
    expect(refuseUrl(new URL(url), { guard, allowHttp: false })).toMatch(reason)
  })
})
