import { expect, test } from 'vitest'
import type { Campaign } from '../../shared/hit/record.ts'
import { channelOf, channels } from '../../shared/visit/channel.ts'
import { sourceOf } from '../../shared/visit/source.ts'

const visit = (q: Campaign | undefined, r?: string): string => channelOf({ ...sourceOf({ q, r, isOwnHost: () => false }), q })

test.each<[string, Campaign | undefined, string | undefined]>([
  ['Direct', undefined, undefined],
  ['Direct', { uc: 'may' }, undefined],
  ['Direct', { us: '(direct)', um: '(not set)' }, undefined],
  ['Cross-network', { us: 'google', um: 'cpc', uc: 'Cross-Network' }, undefined],
  ['Paid Shopping', { us: 'amazon', um: 'cpc' }, undefined],
  ['Paid Shopping', { us: 'google', um: 'cpc', uc: 'Shop_May' }, undefined],
  ['Paid Shopping', { us: 'google', um: 'cpc', uc: 'x-shopping' }, undefined],
  ['Paid Search', { us: 'google', um: 'cpc' }, undefined],
  ['Paid Search', { us: 'google', um: 'cpm' }, undefined],
  ['Paid Search', { us: 'google', um: 'cpc', uc: 'workshop' }, undefined],
  ['Paid Search', { clk: 'Google' }, undefined],
  ['Paid Search', { clk: 'Bing' }, 'bing.com/'],
  ['Paid Search', { us: 'bing', um: 'retargeting' }, undefined],
  ['Paid Social', { us: 'fb', um: 'paid_social' }, undefined],
  ['Paid Social', { clk: 'TikTok' }, undefined],
  ['Paid Social', { clk: 'Twitter' }, 't.co/x'],
  ['Paid Social', { clk: 'LinkedIn' }, undefined],
  ['Paid Video', { us: 'youtube', um: 'cpv-cpc' }, undefined],
  ['Display', { us: 'partner', um: 'banner' }, undefined],
  ['Display', { us: 'partner', um: 'display' }, undefined],
  ['Display', { us: 'partner', um: 'cpm' }, undefined],
  ['Display', { clk: 'Google Display' }, undefined],
  ['Paid Other', { us: 'partner', um: 'ppc' }, undefined],
  ['Paid Other', { us: 'chatgpt.com', um: 'cpc' }, undefined],
  ['AI Assistant', undefined, 'chatgpt.com/'],
  ['AI Assistant', { us: 'chatgpt.com' }, undefined],
  ['AI Assistant', { us: 'perplexity', um: 'referral' }, undefined],
  ['AI Assistant', { us: 'somebot', um: 'ai-assistant' }, undefined],
  ['AI Assistant', undefined, 'gemini.google.com/'],
  ['AI Assistant', undefined, 'copilot.microsoft.com/'],
  ['Organic Shopping', undefined, 'ebay.de/'],
  ['Organic Shopping', { us: 'news', um: 'email', uc: 'shop' }, undefined],
  ['Organic Social', { us: 'partner', um: 'sm' }, undefined],
  ['Organic Social', undefined, 'l.facebook.com/'],
  ['Organic Social', { clk: 'Facebook' }, undefined],
  ['Organic Social', undefined, 'lnkd.in/x'],
  ['Organic Video', undefined, 'youtu.be/x'],
  ['Organic Video', { us: 'partner', um: 'promo-video' }, undefined],
  ['Organic Search', undefined, 'google.de/'],
  ['Organic Search', { us: 'google' }, undefined],
  ['Organic Search', { us: 'partner', um: 'organic' }, undefined],
  ['Email', { us: 'news', um: 'E-Mail' }, undefined],
  ['Email', { us: 'e_mail' }, undefined],
  ['Email', { um: 'email' }, undefined],
  ['Email', { us: 'mailchimp' }, undefined],
  ['Email', undefined, 'mail.google.com/mail'],
  ['Affiliates', { us: 'partner', um: 'affiliate' }, undefined],
  ['Referral', undefined, 'blog.org/post'],
  ['Referral', { us: 'partner', um: 'link' }, undefined],
  ['Referral', undefined, 'de.wikipedia.org/wiki/X'],
  ['Audio', { us: 'podcast', um: 'audio' }, undefined],
  ['SMS', { us: 'sms' }, undefined],
  ['SMS', { us: 'x1', um: 'SMS' }, undefined],
  ['Mobile Push Notifications', { us: 'x1', um: 'web-push' }, undefined],
  ['Mobile Push Notifications', { us: 'x1', um: 'mobile' }, undefined],
  ['Mobile Push Notifications', { us: 'firebase' }, undefined],
  ['Unassigned', { us: 'partner' }, undefined],
  ['Unassigned', { us: '__proto__', um: 'constructor' }, undefined],
])('%s: %j %s', (expected, q, r) => {
  expect(visit(q, r)).toBe(expected)
})

test('every channel is met above, in the order of product.md with AI Assistant behind the paid ones', () => {
  expect(channels).toEqual([
    ...['Direct', 'Cross-network', 'Paid Shopping', 'Paid Search', 'Paid Social', 'Paid Video', 'Display', 'Paid Other', 'AI Assistant'],
    ...['Organic Shopping', 'Organic Social', 'Organic Video', 'Organic Search', 'Email', 'Affiliates', 'Referral', 'Audio', 'SMS'],
    ...['Mobile Push Notifications', 'Unassigned'],
  ])
})
