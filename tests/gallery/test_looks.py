"""For everybody: narrow screens, both colour schemes, contrast, the keyboard alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.chromium import Visitor

CONTRAST = """() => {
  const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return { r, g, b, a }; };
  const over = (top, low) => ({ r: top.r * top.a + low.r * (1 - top.a), g: top.g * top.a + low.g * (1 - top.a), b: top.b * top.a + low.b * (1 - top.a), a: 1 });
  const light = ({ r, g, b }) => { const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)); return 0.2126 * x + 0.7152 * y + 0.0722 * z; };
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) { const color = parse(getComputedStyle(at).backgroundColor); if (color.a) layers.push(color); if (color.a === 1) break; }
    return layers.reverse().reduce((low, top) => over(top, low), { r: 255, g: 255, b: 255, a: 1 });
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const says = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    if (!says || !box.width || !box.height || style.visibility === "hidden" || element.closest("script, style, .skip, .toast, option")) continue;
    const under = ground(element);
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    const ink = parse(style.color);
    const [a, b] = [light(over({ ...ink, a: ink.a * opacity }, under)), light(under)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5 && !element.matches("kbd")) found.push(`${ratio.toFixed(2)} ${element.className || element.tagName}: ${element.textContent.trim().slice(0, 30)}`);
  }
  return [...new Set(found)];
}"""
"""What has less contrast than WCAG 2.2 AA asks for; the letters of shortcuts on buttons repeat what a title says."""


def look_around(page: Page) -> list[str]:
    """In the grid, with details, with the sheets open."""
    page.keyboard.press("p")
    found = page.evaluate(CONTRAST)
    page.keyboard.press("o")
    found += page.evaluate(CONTRAST)
    for key in ("?", "$", "v"):
        page.keyboard.press(key)
        found += page.evaluate(CONTRAST)
        page.keyboard.press("Escape")
    return list(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(gallery: str, visitor: Visitor, scheme: str) -> None:
    page = visitor.open(gallery, color_scheme=scheme)
    assert look_around(page) == []


def test_the_schemes_differ_and_the_ground_of_clips_is_dark_in_both(gallery: str, visitor: Visitor) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        page = visitor.open(gallery, color_scheme=scheme)
        colors = "[document.body, document.querySelector('.mat')].map((one) => getComputedStyle(one).backgroundColor)"
        grounds[scheme] = page.evaluate(colors)
    assert grounds["light"][0] != grounds["dark"][0]
    for _, mat in grounds.values():
        assert max(int(part) for part in mat.strip("rgb()").split(", ")) < 50


@pytest.mark.parametrize("width", [320, 360, 800])
def test_nothing_is_wider_than_a_narrow_screen(gallery: str, visitor: Visitor, width: int) -> None:
    page = visitor.open(gallery, width=width, height=700)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".mat").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("#press-pick").bounding_box()
    assert box
    assert box["x"] + box["width"] <= width
    page.locator("#press-pick").click()
    page.locator("#close-panel").click()
    assert page.locator("#panel").is_hidden()


def test_on_a_touch_screen_what_is_pressed_is_large_enough(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery, width=360, height=700, has_touch=True, is_mobile=True)
    small = page.locator(".actions button, .bar select").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().height).filter((height) => height < 44)"
    )
    assert small == []


def test_the_keyboard_alone_reaches_the_clips_and_their_details(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.className"))
        if "tile" in reached[-1]:
            break
    assert "current" in reached[-1]
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("o")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.classList.contains('tile')")


def test_what_can_be_pressed_has_a_name(gallery: str, visitor: Visitor) -> None:
    page = visitor.open(gallery)
    page.keyboard.press("o")
    unnamed = page.locator("button, input, select, textarea, summary, video[controls]").evaluate_all(
        "all => all.filter((one) => !one.matches('video') && !(one.getAttribute('aria-label') || one.textContent.trim() "
        "|| one.labels?.[0]?.textContent.trim())).map((one) => one.outerHTML)"
    )
    assert unnamed == []
