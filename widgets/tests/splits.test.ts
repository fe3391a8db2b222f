import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  LEAST,
  MOST,
  pressedShare,
  remember,
  remembered,
  type Split,
  withShare,
} from "../src/model/splits";

let kept: Map<string, string>;

/** A page's storage; where it is forbidden each use raises. */
const storage = (refuse: () => void = () => {}) => ({
  getItem: (key: string) => {
    refuse();
    return kept.get(key) ?? null;
  },
  setItem: (key: string, text: string) => {
    refuse();
    kept.set(key, text);
  },
});

beforeEach(() => {
  kept = new Map();
  vi.stubGlobal("localStorage", storage());
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a share of the room", () => {
  it.each<[Split, string, number | null | undefined]>([
    ["inspector", "ArrowLeft", 45],
    ["inspector", "ArrowRight", 35],
    ["inspector", "ArrowUp", undefined],
    ["details", "ArrowUp", 45],
    ["details", "ArrowDown", 35],
    ["details", "ArrowLeft", undefined],
    ["details", "Home", LEAST],
    ["details", "End", MOST],
    ["details", "Enter", null],
    ["details", "n", undefined],
  ])("of the %s is moved from 40 by %s to %s", (split, key, share) => {
    expect(pressedShare(split, 40, key)).toBe(share);
  });

  it("stays within its bounds", () => {
    expect(withShare({}, "details", 2)).toEqual({ details: LEAST });
    expect(withShare({}, "details", 99)).toEqual({ details: MOST });
    expect(pressedShare("details", MOST, "ArrowUp")).toBe(MOST);
    expect(pressedShare("inspector", LEAST, "ArrowRight")).toBe(LEAST);
  });

  it("is given back to the layout, and the other stays", () => {
    expect(withShare({ details: 30, inspector: 50 }, "details", null)).toEqual({ inspector: 50 });
  });

  it("is remembered", () => {
    remember({ inspector: 33.3 });
    expect(remembered()).toEqual({ inspector: 33.3 });
  });

  it.each(["", "{", "null", "3", '{"details": "90%"}', '{"details": null, "other": 3}'])(
    "is the layout's where the page remembers %j",
    (text) => {
      remember({});
      for (const key of kept.keys()) kept.set(key, text);
      expect(remembered()).toEqual({});
    },
  );

  it("is the layout's where the page forbids its storage", () => {
    const refuse = () => {
      throw new DOMException("denied", "SecurityError");
    };
    vi.stubGlobal("localStorage", storage(refuse));
    remember({ details: 40 });
    expect(remembered()).toEqual({});
  });
});
